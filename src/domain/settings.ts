/** How llama.cpp lays the KV cache out: one pool for all sequences, or an equal share for each. */
export type KvLayout = "unified" | "split"

/** Which models go first when memory is short: the lowest. */
export type ModelPriority = "high" | "normal" | "low"

/** How a model is loaded, and how it is kept. */
export interface ModelSettings extends TextModelSettings {
  readonly priority: ModelPriority
  /** Once loaded it stays until it is stopped. */
  readonly pinned: boolean
  /** How long it stays after its last request; `null`: until its room is needed. */
  readonly keepAliveSeconds: number | null
  /** The longest that its worker may compute without a sign of life; `null`: as its kind needs. */
  readonly stepTimeoutSeconds: number | null
  /** Workers that serve it side by side; at least 1. */
  readonly replicas: number
  /** Load it when the server starts. */
  readonly preload: boolean
}

/** What one model is loaded with. Absent or `null` fields are chosen by the engine and the worker. */
export interface TextModelSettings {
  /** The longest single conversation, in tokens (`--ctx`). */
  readonly contextLength: number | null
  /** Sequences that are generated at the same time. */
  readonly slots: number
  readonly decodeThreads: number | null
  readonly prefillThreads: number | null
  /** Layers on GPUs: `null` all that fit, 0 none. */
  readonly gpuLayers: number | null
  readonly splitMode: "layer" | "row" | "tensor" | "none"
  readonly tensorSplit: readonly number[] | null
  /** Names of the devices to use, as the backends call them. */
  readonly devices: readonly string[] | null
  readonly kvTypeK: KvType
  readonly kvTypeV: KvType
  /** `null`: the engine decides from free memory, by the rule of `formats/kv-layout.ts`. */
  readonly kvLayout: KvLayout | null
  /** Cells of the whole KV pool; `null`: from free memory. */
  readonly kvCells: number | null
  readonly flashAttention: "auto" | "on" | "off"
  readonly memoryMap: boolean
  readonly memoryLock: boolean
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
