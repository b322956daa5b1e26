import type { Device, MemoryFootprint } from "../../domain/device"

export interface FootprintInput {
  /** The GPUs that hold layers, before and after the load. */
  readonly before: readonly Device[]
  readonly after: readonly Device[]
  /** Bytes of weights and KV cache on GPUs; the rest is in system memory. */
  readonly offloadedBytes: number
  readonly hostBytes: number
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
}: FootprintInput): MemoryFootprint {
  const devices = before.map((device) => {
    const now = after.find(({ name }) => name === device.name)?.freeBytes ?? device.freeBytes
    return { name: device.name, bytes: Math.max(device.freeBytes - now, offloadedBytes / before.length) }
  })
  return { ramBytes: Math.max(process.memoryUsage.rss(), hostBytes), devices }
}
