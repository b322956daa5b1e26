import { availableParallelism, cpus, release, type } from "node:os"

export interface Machine {
  /** As in `Linux 6.1.0`. */
  readonly system: string
  readonly processor: string
  /** Logical cores. */
  readonly cores: number
  /** Those that this process may use. */
  readonly usableCores: number
}

/** What this process runs on, read anew each time. */
export function machine(): Machine {
  const all = cpus()
  return {
    system: `${type()} ${release()}`,
    processor: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    usableCores: availableParallelism(),
  }
}
