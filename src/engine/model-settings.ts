import type { ModelSettings, TextModelSettings } from "../domain"

/** What of a model's settings a worker is told; the rest is the engine's own. */
export function toLoadSettings(settings: ModelSettings): TextModelSettings {
  const { priority, pinned, keepAliveSeconds, replicas, preload, ...load } = settings
  return load
}

/** Would a load with the one give the same as with the other? */
export function isSameLoad(a: TextModelSettings, b: TextModelSettings): boolean {
  return Bun.deepEquals(a, b)
}
