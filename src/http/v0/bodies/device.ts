import type { Device } from "../../../domain/device"

export interface DeviceBody {
  readonly name: string
  readonly description: string
  readonly kind: Device["kind"]
  readonly backend: string
  readonly free_bytes: number
  readonly total_bytes: number
}

export function toDeviceBody(device: Device): DeviceBody {
  return {
    name: device.name,
    description: device.description,
    kind: device.kind,
    backend: device.backend,
    free_bytes: device.freeBytes,
    total_bytes: device.totalBytes,
  }
}
