import type { MemoryFootprint } from "../../domain/device"
import type { SystemMemory } from "../../lib/system/system-memory"
import type { MemoryLimits } from "../contract"
import type { Gpu } from "./placement"

/** Memory as reported by the system and the backends. */
export interface MemoryReading {
  readonly system: SystemMemory
  readonly gpus: readonly GpuReading[]
}

export interface GpuReading {
  readonly name: string
  readonly totalBytes: number
  readonly freeBytes: number
  /** Name of the llama.cpp backend; absent: not known. */
  readonly backend?: string
  /** Another backend's view of a card earlier in the list. */
  readonly isTwin?: boolean
}

/** A worker that holds memory. */
export interface Holder {
  readonly footprint: MemoryFootprint
  /** Still loading: its memory is not in the readings yet. */
  readonly loading: boolean
}

/** Bytes that may still be taken; negative where the limits are exceeded. */
export interface AvailableMemory {
  readonly systemBytes: number
  readonly gpus: readonly Gpu[]
}

/**
 * The memory available while `kept` hold theirs, once `gone`, whose memory is still in the readings, have released
 * theirs. Some backends never report a change, and the system counts mapped weights as free: so the result never
 * exceeds the total minus what our own workers hold.
 */
export function availableMemory(
  reading: MemoryReading,
  limits: MemoryLimits,
  kept: readonly Holder[],
  gone: readonly Holder[] = [],
): AvailableMemory {
  const room = (
    total: number,
    free: number,
    limit: number | undefined,
    bytesOf: (holder: Holder) => number,
  ) => {
    const held = sum(kept, bytesOf)
    const pending = sum(kept, (holder) => (holder.loading ? bytesOf(holder) : 0))
    const returned = sum(gone, (holder) => (holder.loading ? 0 : bytesOf(holder)))
    const free0 = Math.min(free - pending + returned, total - held) - limits.headroomBytes
    return limit === undefined ? free0 : Math.min(free0, limit - held)
  }
  const { totalBytes, availableBytes } = reading.system
  return {
    systemBytes: room(totalBytes, availableBytes, limits.limitBytes, ({ footprint }) => footprint.ramBytes),
    gpus: reading.gpus.map((gpu) => ({
      name: gpu.name,
      ...(gpu.backend !== undefined && { backend: gpu.backend }),
      ...(gpu.isTwin === true && { isTwin: true }),
      freeBytes: room(gpu.totalBytes, gpu.freeBytes, limits.gpuLimitBytes, (holder) =>
        bytesOn(holder, gpu.name),
      ),
    })),
  }
}

/** The bytes `holder` takes on the named GPU. */
export function bytesOn({ footprint }: Holder, name: string): number {
  return footprint.devices.reduce((bytes, device) => (device.name === name ? bytes + device.bytes : bytes), 0)
}

function sum(holders: readonly Holder[], bytesOf: (holder: Holder) => number): number {
  return holders.reduce((bytes, holder) => bytes + bytesOf(holder), 0)
}
