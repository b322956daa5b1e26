import { readFileSync } from "node:fs"
import type { Device, MemoryFootprint } from "../../domain/device"

export interface FootprintInput {
  /** The GPUs that hold layers, before and after the load. */
  readonly before: readonly Device[]
  readonly after: readonly Device[]
  /** Bytes of weights and KV cache on GPUs; the rest is in system memory. */
  readonly offloadedBytes: number
  readonly hostBytes: number
  /** Resident pages of the program itself, see {@link programPages}. */
  readonly programBytes: number
}

/**
 * Memory used by a load. Some backends report the same free memory before and after; then the size of the
 * layers is divided over the devices instead. Mapped weights count in full, although their pages are read on
 * demand.
 */
export function measureFootprint({
  before,
  after,
  offloadedBytes,
  hostBytes,
  programBytes,
}: FootprintInput): MemoryFootprint {
  const devices = before.map((device) => {
    const now = after.find(({ name }) => name === device.name)?.freeBytes ?? device.freeBytes
    return { name: device.name, bytes: Math.max(device.freeBytes - now, offloadedBytes / before.length) }
  })
  return { ramBytes: Math.max(process.memoryUsage.rss() - programBytes, hostBytes), devices }
}

/** Bytes of a page in `statm`; larger ones on some arm64 kernels only make this an underestimate. */
const PAGE_BYTES = 4096

/**
 * Before anything is loaded: resident bytes of the program's own file, which the server and all its workers share, so
 * that they are no reason to refuse a model. 0 where the system does not tell.
 */
export function programPages(): number {
  try {
    // Size, resident, and of that mapped from files, see proc(5).
    const [, , shared = "0"] = readFileSync("/proc/self/statm", "latin1").split(" ")
    return Number(shared) * PAGE_BYTES
  } catch {
    return 0
  }
}
