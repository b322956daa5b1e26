import { totalmem } from "node:os"
import { memoryGroups, readSystemFile, type ReadText } from "./control-groups"

/** Bytes. */
export interface SystemMemory {
  readonly totalBytes: number
  /** Memory available without swapping, where the system reports it; otherwise all memory. */
  readonly availableBytes: number
}

/** The files of each version of control groups with its limits, its usage, and the share of file cache in it. */
const FILES = {
  2: {
    // Above `high` the kernel throttles the whole group, so it is a limit in practice.
    limits: ["memory.max", "memory.high"],
    used: "memory.current",
    cached: ["active_file", "inactive_file"],
  },
  1: {
    // A very large number where there is no limit.
    limits: ["memory.limit_in_bytes"],
    used: "memory.usage_in_bytes",
    cached: ["total_active_file", "total_inactive_file"],
  },
} as const

/**
 * The memory of this machine, or of this process's container where that has less.
 * @param mappedBytes of mapped files in use, such as weights of loaded models. The system counts them as
 * reclaimable cache, but they would be read again at once.
 */
export function systemMemory(mappedBytes = 0, read: ReadText = readSystemFile): SystemMemory {
  const meminfo = read("/proc/meminfo") ?? ""
  const machine = {
    totalBytes: kibibytes(meminfo, "MemTotal") ?? totalmem(),
    // Other systems count their caches as used, so their free memory means nothing.
    availableBytes: kibibytes(meminfo, "MemAvailable") ?? totalmem(),
  }
  const all = [machine, ...limitedGroups(read)]
  return {
    totalBytes: Math.min(...all.map(({ totalBytes }) => totalBytes)),
    availableBytes: Math.max(0, Math.min(...all.map(({ availableBytes }) => availableBytes)) - mappedBytes),
  }
}

/** Every enclosing control group with a limit. */
function limitedGroups(read: ReadText): readonly SystemMemory[] {
  return memoryGroups(read).flatMap(({ version, folders }) =>
    folders.flatMap((folder) => limitedGroup(FILES[version], (name) => read(`${folder}/${name}`)) ?? []),
  )
}

/** Undefined where the group sets no limit. */
function limitedGroup(files: (typeof FILES)[1 | 2], read: ReadText): SystemMemory | undefined {
  const limits = files.limits.flatMap((name) => wholeNumber(read(name)) ?? [])
  const usedBytes = wholeNumber(read(files.used))
  if (limits.length === 0 || usedBytes === undefined) return undefined
  const totalBytes = Math.min(...limits)
  const statistics = read("memory.stat") ?? ""
  // Active and inactive: the kernel reclaims both before it refuses memory.
  const cachedBytes = files.cached.reduce((sum, name) => sum + statistic(statistics, name), 0)
  return { totalBytes, availableBytes: Math.max(0, totalBytes - Math.max(0, usedBytes - cachedBytes)) }
}

function statistic(statistics: string, name: string): number {
  return wholeNumber(new RegExp(`^${name} (\\d+)$`, "m").exec(statistics)?.[1]) ?? 0
}

/** `max`, meaning no limit, is not a number. */
function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined
}

function kibibytes(meminfo: string, field: string): number | undefined {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(meminfo)
  return match ? Number(match[1]) * 1024 : undefined
}
