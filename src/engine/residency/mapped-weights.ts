import { type AttachedPart, bytesOfParts, isLoaded } from "../../domain/attached-parts"
import type { LoadedModelInfo } from "../../domain/loaded-model"
import type { TextModelSettings } from "../../domain/settings"

/** A loaded worker. */
export interface LoadedWeights {
  /** Workers of one file share its pages. */
  readonly path: string
  readonly parts?: readonly AttachedPart[]
  readonly info: LoadedModelInfo
  readonly settings: Pick<TextModelSettings, "memoryMap" | "memoryLock">
}

/**
 * Bytes of files that loaded models have mapped into system memory: the system counts them as reclaimable cache,
 * but the next token would read them again.
 */
export function mappedWeights(loaded: readonly LoadedWeights[]): number {
  const byPath = new Map<string, number>()
  for (const worker of loaded) {
    byPath.set(worker.path, Math.max(byPath.get(worker.path) ?? 0, mappedBytes(worker)))
  }
  return [...byPath.values()].reduce((sum, bytes) => sum + bytes, 0)
}

function mappedBytes({ parts = [], info, settings }: LoadedWeights): number {
  // The system does not count locked pages as cache.
  if (!settings.memoryMap || settings.memoryLock) return 0
  switch (info.kind) {
    case "text":
    case "embedding":
      // Adapters are read, not mapped.
      return (
        (info.modelBytes - bytesOfParts(parts.filter(isLoaded))) *
        (1 - info.gpuLayers / Math.max(1, info.totalLayers))
      )
    case "image":
      return info.footprint.devices.length > 0 ? 0 : info.modelBytes
    case "tts":
    case "asr":
      // ONNX Runtime reads them into its own memory.
      return 0
    default:
      return info satisfies never
  }
}
