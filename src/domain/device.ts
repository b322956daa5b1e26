/** A compute device as reported by a llama.cpp backend. */
export interface Device {
  readonly name: string
  readonly description: string
  readonly kind: "cpu" | "gpu" | "igpu" | "accelerator"
  readonly backend: string
  /** PCI address; the same for one card seen by two backends. Absent where unknown. */
  readonly address?: string
  readonly freeBytes: number
  readonly totalBytes: number
}

/** Memory of a loaded model in bytes, as measured by its worker. */
export interface MemoryFootprint {
  /** System memory: the worker's resident pages, including mapped weights. */
  readonly ramBytes: number
  /** GPU memory, by the backends' device names. */
  readonly devices: readonly { readonly name: string; readonly bytes: number }[]
}

/** Where a model's layers are placed, and why. */
export interface LayerPlan {
  /** In placement order, with the CPU as `CPU`. Devices without layers are omitted. */
  readonly devices: readonly { readonly name: string; readonly layers: number }[]
  /** One sentence for people. */
  readonly explanation: string
}
