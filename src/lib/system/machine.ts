import { availableParallelism, cpus, release, type } from "node:os"

export interface Machine {
  /** Such as `Linux 6.1.0`. */
  readonly system: string
  readonly processor: string
  /** Logical cores. */
  readonly cores: number
  /** Cores that this process may use. */
  readonly usableCores: number
}

/** The machine this process runs on, read each time. */
export function machine(): Machine {
  const all = cpus()
  return {
    system: `${type()} ${release()}`,
    processor: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    usableCores: availableParallelism(),
  }
}
