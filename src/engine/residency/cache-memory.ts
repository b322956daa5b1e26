import { isGguf, loadedBytes, type ModelDetails, type TextModelDetails } from "../../domain/model"
import type { KvPlan, TextModelSettings } from "../../domain/settings"
import type { AvailableMemory } from "./available-memory"
import { type CacheSpace, planCache } from "./estimate"
import { usableGpus } from "./placement"

/** Bytes that the weights leave for a KV cache, on the GPUs that may be used and in system memory. */
export interface CacheMemory {
  readonly gpuBytes: number
  readonly systemBytes: number
}

export function cacheMemory(
  details: ModelDetails,
  settings: TextModelSettings,
  { gpus, systemBytes }: AvailableMemory,
): CacheMemory {
  const weightBytes = loadedBytes(details)
  const usable = settings.gpuLayers === 0 ? [] : usableGpus(gpus, settings, null)
  const gpuBytes = usable.reduce((sum, gpu) => sum + Math.max(0, gpu.freeBytes), 0)
  const layers = isGguf(details) ? details.layers + 1 : 1
  const onGpus = weightBytes * Math.min(1, (settings.gpuLayers ?? layers) / layers)
  return { gpuBytes: Math.max(0, gpuBytes - onGpus), systemBytes: Math.max(0, systemBytes - weightBytes) }
}

/** For a cache on GPUs; layers that do not fit there go to system memory, with their part of it. */
export function spaceOnGpus({ gpuBytes, systemBytes }: CacheMemory): CacheSpace {
  return { freeBytes: gpuBytes, otherBytes: systemBytes }
}

/** The longest conversation of a model that is not loaded yet, if it had all of `available`. */
export function expectedContext(
  details: TextModelDetails,
  settings: TextModelSettings,
  available: AvailableMemory,
): Pick<KvPlan, "contextLength" | "contextLimitedBy"> {
  const memory = cacheMemory(details, settings, available)
  const space = memory.gpuBytes > 0 ? spaceOnGpus(memory) : { freeBytes: memory.systemBytes }
  return planCache(details, settings, space)
}
