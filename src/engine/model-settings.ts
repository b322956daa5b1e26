import type { ModelKind, ModelSettings, TextModelSettings } from "../domain"

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
