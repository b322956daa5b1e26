import type { MemoryFootprint } from "../../domain/device"
import type { LoadedModelInfo } from "../../domain/loaded-model"
import { type AvailableMemory, NO_MEMORY } from "./available-memory"

/** What a model may take beside what it has, if its KV cache becomes as large as it may. */
export function roomToGrow(info: LoadedModelInfo | undefined): MemoryFootprint {
  if (info?.kind !== "text") return NO_MEMORY
  const { kvMostBytes, kvBytes, gpuLayers, totalLayers, footprint } = info
  const bytes = Math.max(0, kvMostBytes - kvBytes)
  const { devices } = footprint
  const onDevices = devices.length === 0 ? 0 : Math.min(1, gpuLayers / Math.max(1, totalLayers))
  return {
    ramBytes: bytes * (1 - onDevices),
    devices: devices.map(({ name }) => ({ name, bytes: (bytes * onDevices) / devices.length })),
  }
}

/** As much of that as there is memory for. */
export function within(
  { ramBytes, devices }: MemoryFootprint,
  { systemBytes, gpus }: AvailableMemory,
): MemoryFootprint {
  const least = (wanted: number, free = 0): number => Math.max(0, Math.min(wanted, free))
  return {
    ramBytes: least(ramBytes, systemBytes),
    devices: devices.map(({ name, bytes }) => ({
      name,
      bytes: least(bytes, gpus.find((gpu) => gpu.name === name)?.freeBytes),
    })),
  }
}

/** All bytes of a footprint, wherever they are. */
export function totalOf({ ramBytes, devices }: MemoryFootprint): number {
  return devices.reduce((sum, { bytes }) => sum + bytes, ramBytes)
}
