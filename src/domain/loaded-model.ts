import type { LayerPlan, MemoryFootprint } from "./device"
import type { ModelKind } from "./model"
import type { KvLayout, ModelPriority } from "./settings"

/** What a worker reports once its model is loaded. */
export type LoadedModelInfo = LoadedTextInfo | LoadedMediaInfo

/** What every worker reports. */
export interface CommonLoadedInfo {
  readonly footprint: MemoryFootprint
  /** Requests that are worked on at the same time. */
  readonly slots: number
  readonly modelBytes: number
  /** Devices that compute. */
  readonly devices: readonly string[]
}

/** Of a voice, a recogniser or a painter. */
export interface LoadedMediaInfo extends CommonLoadedInfo {
  readonly kind: "tts" | "asr" | "image"
  readonly family: string
  readonly threads: number
}

/** Of a text model. */
export interface LoadedTextInfo extends CommonLoadedInfo {
  readonly kind: "text"
  /** The longest single conversation, in tokens. */
  readonly contextLength: number
  readonly trainedContextLength: number
  readonly kvLayout: KvLayout
  /** Cells of the whole KV pool, in tokens. */
  readonly kvCells: number
  readonly kvBytes: number
  readonly gpuLayers: number
  readonly totalLayers: number
  /** Why no GPU is used although one could be, in words; absent where nothing is amiss. */
  readonly gpuFallback?: string
  readonly decodeThreads: number
  readonly prefillThreads: number
  readonly vocabularySize: number
  /** Bytes of the vocabulary's longest token; absent: the tokenizer rewrites text before it cuts it. */
  readonly longestTokenBytes?: number
  readonly chatTemplate: "model" | "built-in"
  /** Which built-in format is used and why, in one sentence. */
  readonly templateFallback?: string
  readonly fillInTheMiddle: boolean
}

export type ModelState = "loading" | "ready" | "stopping"

/** A worker that the engine has for a model; one with replicas has several. */
export interface LoadedModel {
  readonly name: string
  readonly kind: ModelKind
  /** Which replica it is, from 1. Absent: the model has no others. */
  readonly replica?: number
  readonly id: string
  readonly state: ModelState
  /** 0 to 1, while loading. */
  readonly progress: number
  readonly pid: number | undefined
  readonly info: LoadedModelInfo | undefined
  readonly sizeBytes: number
  /** Memory that counts as taken: what the worker measured, before that what was estimated. */
  readonly footprint?: MemoryFootprint
  readonly plan?: LayerPlan
  /** What was done other than asked for to make the load succeed; one sentence each. */
  readonly notes?: readonly string[]
  /** When it is unloaded if nobody uses it; `null`: never. Absent while it is used. */
  readonly expiresAt?: Date | null
  readonly priority?: ModelPriority
  readonly pinned?: boolean
  readonly activeRequests: number
  /** Of the whole model: replicas share one queue, and the first one named here shows it. */
  readonly queuedRequests: number
  readonly loadedAt: Date | undefined
  readonly lastUsedAt: Date | undefined
  /** Counters since the load, for metrics and tests. */
  readonly counters: WorkerCounters
}

/** What a text worker has done since its model was loaded. */
export interface WorkerCounters {
  /** Calls of llama_decode. */
  readonly decodeCalls: number
  readonly promptTokensEvaluated: number
  readonly promptTokensCached: number
  readonly tokensGenerated: number
  /** Sequences that gave up their KV cells for others and were recomputed later. */
  readonly preemptions: number
}

/** What one decode step of a worker did. */
export interface StepUsage {
  /** Sequences in the step's batch. */
  readonly sequences: number
  /** Tokens in it, of prompts and of answers. */
  readonly tokens: number
  /** Cells of the KV pool that hold something. */
  readonly kvCellsUsed: number
}
