import type { Device } from "../domain/device"
import type { Library, NativePointer } from "./library"

/** `enum ggml_backend_dev_type`, in order. */
const KINDS = ["cpu", "gpu", "igpu", "accelerator"] as const

/** The compute devices of all registered backends, in the backends' order. */
export function listDevices(library: Library): Device[] {
  const devices: Device[] = []
  const count = Number(library.ggml.ggml_backend_dev_count())
  for (let index = 0; index < count; index++) {
    const device = library.ggml.ggml_backend_dev_get(index)
    if (device !== null) devices.push(describeDevice(library, device))
  }
  return devices
}

function describeDevice(library: Library, device: NativePointer): Device {
  const { base, shim } = library
  const memory = new BigUint64Array(2)
  shim.xllm_device_memory(device, memory)
  const backend = base.ggml_backend_dev_backend_reg(device)
  const address = shim.xllm_device_address(device)
  return {
    name: base.ggml_backend_dev_name(device) ?? "",
    description: base.ggml_backend_dev_description(device) ?? "",
    kind: KINDS[base.ggml_backend_dev_type(device)] ?? "accelerator",
    backend: backend === null ? "" : (base.ggml_backend_reg_name(backend) ?? ""),
    ...(address !== null && { address: address.toLowerCase() }),
    freeBytes: Number(memory[0]),
    totalBytes: Number(memory[1]),
  }
}
