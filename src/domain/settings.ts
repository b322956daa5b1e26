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
  /** Absent: prompts are not kept on disk. */
  readonly promptsOnDisk?: PromptsOnDisk
}

/** Where evaluated prompts are kept when they leave memory. */
export interface PromptsOnDisk {
  readonly folder: string
  /** Of all files together. */
  readonly maxBytes: number
  /** Shorter prompts are not kept. */
  readonly minTokens: number
}

/** The KV cache that a text model is loaded with: planned by the engine, made by the worker. Sizes are bytes. */
export interface KvPlan {
  readonly layout: KvLayout
  /** Cells of the whole pool. */
  readonly cells: number
  /** The longest single conversation. */
  readonly contextLength: number
  /** Estimated for models with sliding windows or recurrent states, exact for all others. */
  readonly bytes: number
  /** What it takes at least; 0 where no lower bound is known. */
  readonly certainBytes: number
}

export type KvType = "f32" | "f16" | "bf16" | "q8_0" | "q4_0" | "q4_1" | "q5_0" | "q5_1"
