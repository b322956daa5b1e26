import { readdirSync } from "node:fs"

/** The resources used by this process, without its children. */
export interface ProcessUsage {
  readonly cpuSeconds: number
  readonly residentBytes: number
  /** JavaScript's heap, a part of the resident memory. */
  readonly heapBytes: number
  /** Open file descriptors; undefined where the system does not report them. */
  readonly openFiles: number | undefined
}

export function processUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapBytes: heapUsed,
    openFiles: openFiles(),
  }
}

function openFiles(): number | undefined {
  try {
    // Without the one that reads the list.
    return readdirSync("/proc/self/fd").length - 1
  } catch {
    return undefined
  }
}
