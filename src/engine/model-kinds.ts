import type { ModelDetails, ModelKind } from "../domain/model"
import type { ModelSettings, TextModelSettings } from "../domain/settings"
import { taskOf, type WorkRequest } from "../domain/tasks"
import { WrongModelKind } from "../errors/model"

/** @throws WrongModelKind where the model does something else than is asked of it */
export function checkKind(
  model: { readonly name: string; readonly kind: ModelKind },
  request: WorkRequest["kind"],
): void {
  if (taskOf({ kind: request }).model !== model.kind) throw new WrongModelKind(model.name, model.kind)
}

/**
 * Of text models only those load that generate text; others are made to be parts of something else.
 * @throws WrongModelKind, by what the model's file says
 */
export function checkGenerates({ name, kind, capabilities }: ModelDetails): void {
  if (kind !== "text" || capabilities.includes("completion")) return
  if (capabilities.includes("embedding")) throw new WrongModelKind(name, "embedding")
  throw new WrongModelKind(name, capabilities.includes("rerank") ? "reranker" : "other")
}

/**
 * What of a model's settings means something for its kind. The engines for speech compute on the CPU. What is no text
 * has neither context nor cache, and its worker says itself how many requests it works on at the same time.
 */
export function settingsOfKind(kind: ModelKind, settings: ModelSettings): ModelSettings {
  if (kind === "text") return settings
  return {
    ...settings,
    slots: 1,
    contextLength: null,
    kvLayout: null,
    kvCells: null,
    gpuLayers: kind === "image" ? settings.gpuLayers : 0,
  }
}

/** What of a model's settings a worker is told; the rest is the engine's own. */
export function toLoadSettings(settings: ModelSettings): TextModelSettings {
  const { priority, pinned, keepAliveSeconds, stepTimeoutSeconds, replicas, preload, ...load } = settings
  return load
}

/** Would a load with the one give the same as with the other? */
export function isSameLoad(a: TextModelSettings, b: TextModelSettings): boolean {
  return Bun.deepEquals(a, b)
}
