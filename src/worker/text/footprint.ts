import type { Device, MemoryFootprint } from "../../domain/device"

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
