/** A compute device as a llama.cpp backend reports it. */
export interface Device {
  readonly name: string
  readonly description: string
  readonly kind: "cpu" | "gpu" | "igpu" | "accelerator"
  readonly backend: string
  /** PCI address; the same for one card that two backends can use. Absent where it is not known. */
  readonly address?: string
  readonly freeBytes: number
  readonly totalBytes: number
}

/** Memory that a loaded model holds, in bytes, as its worker measured it. */
export interface MemoryFootprint {
  /** System memory: resident pages of the worker, mapped weights among them. */
  readonly ramBytes: number
  /** Memory of GPUs, by the names that the backends call them. */
  readonly devices: readonly { readonly name: string; readonly bytes: number }[]
}

/** Where a model's layers were put, and why. */
export interface LayerPlan {
  /** In the order in which layers were given out; the CPU as `CPU`. Devices without layers are not named. */
  readonly devices: readonly { readonly name: string; readonly layers: number }[]
  /** One sentence for people. */
  readonly explanation: string
}
