/** llama.cpp's layout of the KV cache: one pool for all sequences, or an equal share for each. */
export type KvLayout = "unified" | "split"

/** The order of eviction when memory is short: lowest first. */
export type ModelPriority = "high" | "normal" | "low"

/** How a model is loaded and kept. */
export interface ModelSettings extends TextModelSettings {
  readonly priority: ModelPriority
  /** Once loaded, it stays until it is stopped. */
  readonly pinned: boolean
  /** How long it stays after its last request; `null`: until its memory is needed. */
  readonly keepAliveSeconds: number | null
  /** How long its worker may compute without a heartbeat; `null`: the default of its kind. */
  readonly stepTimeoutSeconds: number | null
  /** Parallel workers; at least 1. */
  readonly replicas: number
  /** Load it when the server starts. */
  readonly preload: boolean
}

/** What one model is loaded with. Absent or `null` fields are chosen by the engine and the worker. */
export interface TextModelSettings {
  /** The longest single conversation, in tokens (`--ctx`). */
  readonly contextLength: number | null
  /** Sequences generated in parallel. */
  readonly slots: number
  readonly decodeThreads: number | null
  readonly prefillThreads: number | null
  /** Layers on GPUs; `null`: as many as fit, 0: none. */
  readonly gpuLayers: number | null
  readonly splitMode: "layer" | "row" | "tensor" | "none"
  readonly tensorSplit: readonly number[] | null
  /** Devices to use, by the backends' names. */
  readonly devices: readonly string[] | null
  readonly kvTypeK: KvType
  readonly kvTypeV: KvType
  /** `null`: the engine decides from free memory, by the rule of `formats/kv-layout.ts`. */
  readonly kvLayout: KvLayout | null
  /** Size of the whole KV pool, in tokens; `null`: from free memory. */
  readonly kvCells: number | null
  readonly flashAttention: "auto" | "on" | "off"
  readonly memoryMap: boolean
  readonly memoryLock: boolean
}

/**
 * The KV cache that a text model is loaded with, and how far the worker may grow it: planned by the engine once per
 * load, made by the worker. Sizes are bytes.
 */
export interface KvPlan {
  /** Of the first context, as are `cells`, `sequences` and `bytes`. */
  readonly layout: KvLayout
  /** Cells of the whole pool. */
  readonly cells: number
  /** At most `slots`. */
  readonly sequences: number
  /** The most sequences. */
  readonly slots: number
  /** The longest single conversation; it does not change while the model is loaded. */
  readonly contextLength: number
  /** Why that is shorter than what the model was trained for, without the user's having set it. */
  readonly contextLimitedBy?: "memory"
  /** The pool never grows beyond this; equal to `cells` where the user set the size. */
  readonly mostCells: number
  /** The user set the layout. */
  readonly layoutIsFixed: boolean
  /** Estimated for models with sliding windows or recurrent states, exact for all others. */
  readonly bytes: number
  /** A pool of other sizes takes cells × `bytesPerCell` + sequences × `bytesPerSequence`. */
  readonly bytesPerCell: number
  /** Recurrent states and sliding windows. */
  readonly bytesPerSequence: number
  /** What the first context takes at least; 0 where no lower bound is known. */
  readonly certainBytes: number
}

export type KvType = "f32" | "f16" | "bf16" | "q8_0" | "q4_0" | "q4_1" | "q5_0" | "q5_1"
