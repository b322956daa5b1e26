import type { EngineStatus, MemoryStatus } from "../../../engine/contract"

/** One kind of memory, in bytes. */
export interface MemoryBody {
  readonly total_bytes: number
  /** What models may still use: less than is free if some is reserved or limited. */
  readonly free_bytes: number
  readonly used_by_models_bytes: number
  /** What that may become if the KV caches of the loaded models grow. */
  readonly most_used_by_models_bytes: number
  /** The configured limit; `null`: none. */
  readonly limit_bytes: number | null
}

/** All memory available to models. */
export interface MemoriesBody {
  readonly system: MemoryBody
  readonly gpus: readonly (MemoryBody & { readonly name: string })[]
}

export function toMemoriesBody({ system, gpus }: EngineStatus["memory"]): MemoriesBody {
  return { system: toMemoryBody(system), gpus: gpus.map((gpu) => ({ name: gpu.name, ...toMemoryBody(gpu) })) }
}

function toMemoryBody(memory: MemoryStatus): MemoryBody {
  return {
    total_bytes: memory.totalBytes,
    free_bytes: memory.freeBytes,
    used_by_models_bytes: memory.usedByModels,
    most_used_by_models_bytes: memory.mostUsedByModels,
    limit_bytes: memory.limitBytes,
  }
}
