import { readFileSync } from "node:fs"
import { freemem } from "node:os"
import type { Device, MemoryFootprint } from "../../domain"

/** Memory that can be had without swapping, in bytes; less where the cgroup has a limit. */
export function availableMemory(): number {
  const system = kibibytes(readText("/proc/meminfo"), "MemAvailable") ?? freemem()
  const limit = Number(readText("/sys/fs/cgroup/memory.max"))
  const used = Number(readText("/sys/fs/cgroup/memory.current"))
  return Number.isFinite(limit) && limit > 0 ? Math.max(0, Math.min(system, limit - used)) : system
}

export interface FootprintInput {
  /** The GPUs that hold layers, before the load and after it. */
  readonly before: readonly Device[]
  readonly after: readonly Device[]
  /** Bytes of weights and KV cache that were put on GPUs; the rest is in system memory. */
  readonly offloadedBytes: number
  readonly hostBytes: number
}

/**
 * What a load took. Some backends report the same free memory before and after it; then the layers' own size counts,
 * divided over the devices. Mapped weights count in full, though their pages come as they are read.
 */
export function measureFootprint({
  before,
  after,
  offloadedBytes,
  hostBytes,
}: FootprintInput): MemoryFootprint {
  const devices = before.map((device) => {
    const now = after.find(({ name }) => name === device.name)?.freeBytes ?? device.freeBytes
    return { name: device.name, bytes: Math.max(device.freeBytes - now, offloadedBytes / before.length) }
  })
  return { ramBytes: Math.max(process.memoryUsage.rss(), hostBytes), devices }
}

function kibibytes(meminfo: string, field: string): number | undefined {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(meminfo)
  return match ? Number(match[1]) * 1024 : undefined
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
