import { readFileSync } from "node:fs"
import { totalmem } from "node:os"

/** Bytes. */
export interface SystemMemory {
  readonly totalBytes: number
  /** What can be had without swapping, as far as the system says; otherwise all there is. */
  readonly availableBytes: number
}

/** Reads a whole small file; undefined where there is none. */
type ReadText = (path: string) => string | undefined

/** Where a control group says its limit, what it uses, and what of that is cache that the kernel would give up. */
const GROUPS = [
  {
    limit: "/sys/fs/cgroup/memory.max",
    used: "/sys/fs/cgroup/memory.current",
    statistics: "/sys/fs/cgroup/memory.stat",
    cache: "inactive_file",
  },
  // Version 1 has a very large number where there is no limit.
  {
    limit: "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    used: "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    statistics: "/sys/fs/cgroup/memory/memory.stat",
    cache: "total_inactive_file",
  },
] as const

/** The memory of this machine, or of the container that this process runs in where that has less. */
export function systemMemory(read: ReadText = readText): SystemMemory {
  const meminfo = read("/proc/meminfo") ?? ""
  const machine = {
    totalBytes: kibibytes(meminfo, "MemTotal") ?? totalmem(),
    // Other systems count their caches as taken, so what they call free says nothing.
    availableBytes: kibibytes(meminfo, "MemAvailable") ?? totalmem(),
  }
  const group = groupMemory(read)
  if (group === undefined) return machine
  return {
    totalBytes: Math.min(machine.totalBytes, group.totalBytes),
    availableBytes: Math.min(machine.availableBytes, group.availableBytes),
  }
}

/** Undefined where no control group sets a limit. */
function groupMemory(read: ReadText): SystemMemory | undefined {
  for (const { limit, used, statistics, cache } of GROUPS) {
    const totalBytes = wholeNumber(read(limit))
    const usedBytes = wholeNumber(read(used))
    if (totalBytes === undefined || usedBytes === undefined) continue
    const cached = wholeNumber(new RegExp(`^${cache} (\\d+)$`, "m").exec(read(statistics) ?? "")?.[1]) ?? 0
    return { totalBytes, availableBytes: Math.max(0, totalBytes - Math.max(0, usedBytes - cached)) }
  }
  return undefined
}

/** `max`, no limit, is no number. */
function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined
}

function kibibytes(meminfo: string, field: string): number | undefined {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(meminfo)
  return match ? Number(match[1]) * 1024 : undefined
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}
