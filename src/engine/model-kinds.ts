import type { ModelDetails, ModelKind } from "../domain/model"
import {
  LOAD_FIELDS,
  LOAD_SETTINGS,
  type ModelSettings,
  type SettingRow,
  type TextModelSettings,
} from "../domain/settings"
import { taskOf, type WorkRequest } from "../domain/tasks"
import { WrongModelKind } from "../errors/model"
import { pick } from "../lib/pick"

/** @throws WrongModelKind where the model does something else than is asked of it */
export function checkKind(
  model: { readonly name: string; readonly kind: ModelKind },
  request: WorkRequest["kind"],
): void {
  if (taskOf({ kind: request }).model !== model.kind) throw new WrongModelKind(model.name, model.kind)
}

/**
 * Only text models that generate text are loaded; others are made to be parts of something else.
 * @throws WrongModelKind, by the model's file
 */
export function checkGenerates({ name, kind, capabilities }: ModelDetails): void {
  if (kind !== "text" || capabilities.includes("completion")) return
  if (capabilities.includes("embedding")) throw new WrongModelKind(name, "embedding")
  throw new WrongModelKind(name, capabilities.includes("rerank") ? "reranker" : "other")
}

/**
 * Reduces a model's settings to those with a meaning for its kind. The speech engines compute on the CPU. Workers of
 * models other than text models report how many requests they process in parallel.
 */
export function settingsOfKind(kind: ModelKind, settings: ModelSettings): ModelSettings {
  if (kind === "text") return settings
  const fallbacks = Object.entries<SettingRow>(LOAD_SETTINGS)
    .filter(([, { onlyText }]) => onlyText)
    .map(([field, { fallback }]) => [field, fallback])
  const { promptsOnDisk, ...others } = settings
  return {
    ...others,
    ...Object.fromEntries(fallbacks),
    slots: 1,
    gpuLayers: kind === "image" ? settings.gpuLayers : 0,
  }
}

/** The settings sent to a worker; the rest is the engine's own. */
export function toLoadSettings(settings: ModelSettings): TextModelSettings {
  const { promptsOnDisk } = settings
  return { ...pick(settings, LOAD_FIELDS), ...(promptsOnDisk !== undefined && { promptsOnDisk }) }
}

/** Would a load with either settings give the same result? */
export function isSameLoad(a: TextModelSettings, b: TextModelSettings): boolean {
  return Bun.deepEquals(a, b)
}
