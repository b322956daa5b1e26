import { bytesOfParts } from "../domain/attached-parts"
import type { ModelDetails, ModelKind, ModelSummary } from "../domain/model"
import {
  LOAD_FIELDS,
  LOAD_SETTINGS,
  type ModelSettings,
  type SettingRow,
  type TextModelSettings,
} from "../domain/settings"
import { takes, type WorkRequest } from "../domain/tasks"
import { NoReranker, WrongModelKind } from "../errors/model"
import { pick } from "../lib/pick"

/** Requests of which an embedding model's worker has texts at a time: it computes the texts of several at once. */
const EMBEDDING_SLOTS = 64

/** @throws WrongModelKind, NoReranker where the model does something else than is asked of it */
export function checkKind(
  model: { readonly name: string; readonly kind: ModelKind },
  request: WorkRequest["kind"],
): void {
  if (takes(model.kind, request)) return
  // No scores from a model that was not made to give them.
  if (request === "rerank") throw new NoReranker(model.name)
  throw new WrongModelKind(model.name, model.kind)
}

/**
 * Only text models that generate text are loaded; others are made to be parts of something else.
 * @throws WrongModelKind, by the model's file
 */
export function checkGenerates({ name, kind, capabilities }: ModelDetails): void {
  if (kind === "text" && !capabilities.includes("completion")) throw new WrongModelKind(name, "other")
}

/**
 * Reduces a model's settings to those with a meaning for its kind. The speech engines compute on the CPU. Workers of
 * models other than text models report how many requests they process in parallel.
 */
export function settingsOfKind(kind: ModelKind, settings: ModelSettings): ModelSettings {
  if (kind === "text") return settings
  if (kind === "embedding") {
    const { promptsOnDisk: _, batchCosts: __, ...others } = settings
    return { ...others, slots: EMBEDDING_SLOTS }
  }
  const fallbacks = Object.entries<SettingRow>(LOAD_SETTINGS)
    .filter(([, { onlyText }]) => onlyText)
    .map(([field, { fallback }]) => [field, fallback])
  const { promptsOnDisk, batchCosts: _, ...others } = settings
  return {
    ...others,
    ...Object.fromEntries(fallbacks),
    slots: 1,
    gpuLayers: kind === "image" ? settings.gpuLayers : 0,
  }
}

/** The settings sent to a worker; the rest is the engine's own. */
export function toLoadSettings(settings: ModelSettings): TextModelSettings {
  const { promptsOnDisk, batchCosts } = settings
  return {
    ...pick(settings, LOAD_FIELDS),
    ...(promptsOnDisk !== undefined && { promptsOnDisk }),
    ...(batchCosts !== undefined && { batchCosts }),
  }
}

/** Would a load with either settings give the same result? */
export function isSameLoad(a: TextModelSettings, b: TextModelSettings): boolean {
  return Bun.deepEquals(a, b)
}

/** A model that may be another's draft. */
export type DraftFile = Pick<ModelSummary, "name" | "path" | "sizeBytes" | "parts">

/** A model with another one as its draft, in place of its own. */
export function withDraft(model: ModelSummary, draft: DraftFile): ModelSummary {
  const parts = model.parts ?? []
  const own = parts.filter(({ role }) => role === "draft")
  const { name, path } = draft
  const sizeBytes = draft.sizeBytes - bytesOfParts(draft.parts ?? [])
  const others = parts.filter(({ role }) => role !== "draft")
  return {
    ...model,
    sizeBytes: model.sizeBytes - bytesOfParts(own) + sizeBytes,
    parts: [...others, { role: "draft", name, path, sizeBytes }],
  }
}
