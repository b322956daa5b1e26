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
  /** The part of the footprint that it may take but has not taken yet, so that it is not in the readings either. */
  readonly reserved?: MemoryFootprint
}

export const NO_MEMORY: MemoryFootprint = { ramBytes: 0, devices: [] }

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
    bytesIn: (footprint: MemoryFootprint) => number,
  ) => {
    const held = sum(kept, ({ footprint }) => bytesIn(footprint))
    const pending = sum(kept, (holder) => bytesIn(notTaken(holder)))
    const returned = sum(gone, (holder) => bytesIn(holder.footprint) - bytesIn(notTaken(holder)))
    const free0 = Math.min(free - pending + returned, total - held) - limits.headroomBytes
    return limit === undefined ? free0 : Math.min(free0, limit - held)
  }
  const { totalBytes, availableBytes } = reading.system
  return {
    systemBytes: room(totalBytes, availableBytes, limits.limitBytes, ({ ramBytes }) => ramBytes),
    gpus: reading.gpus.map((gpu) => ({
      name: gpu.name,
      ...(gpu.backend !== undefined && { backend: gpu.backend }),
      ...(gpu.isTwin === true && { isTwin: true }),
      freeBytes: room(gpu.totalBytes, gpu.freeBytes, limits.gpuLimitBytes, (footprint) =>
        bytesOn(footprint, gpu.name),
      ),
    })),
  }
}

/** Is so much available? */
export function hasMemoryFor({ ramBytes, devices }: MemoryFootprint, available: AvailableMemory): boolean {
  if (ramBytes > available.systemBytes) return false
  return devices.every(
    ({ name, bytes }) => bytes <= (available.gpus.find((gpu) => gpu.name === name)?.freeBytes ?? 0),
  )
}

/** The bytes of a footprint on the named GPU. */
export function bytesOn({ devices }: MemoryFootprint, wanted: string): number {
  return devices.reduce((sum, { name, bytes }) => (name === wanted ? sum + bytes : sum), 0)
}

/** The sum of footprints. */
export function together(footprints: readonly MemoryFootprint[]): MemoryFootprint {
  const names = new Set(footprints.flatMap(({ devices }) => devices.map(({ name }) => name)))
  return {
    ramBytes: sum(footprints, ({ ramBytes }) => ramBytes),
    devices: [...names].map((name) => ({ name, bytes: sum(footprints, (each) => bytesOn(each, name)) })),
  }
}

/** What of `whole` is not in `part`. */
export function beyond(whole: MemoryFootprint, part: MemoryFootprint): MemoryFootprint {
  return {
    ramBytes: Math.max(0, whole.ramBytes - part.ramBytes),
    devices: whole.devices.map(({ name, bytes }) => ({
      name,
      bytes: Math.max(0, bytes - bytesOn(part, name)),
    })),
  }
}

function notTaken({ footprint, loading, reserved = NO_MEMORY }: Holder): MemoryFootprint {
  return loading ? footprint : reserved
}

function sum<T>(items: readonly T[], bytesOf: (item: T) => number): number {
  return items.reduce((bytes, item) => bytes + bytesOf(item), 0)
}
