import type { LayerPlan, MemoryFootprint } from "./device"
import type { Pooling } from "./embedding"
import type { ModelKind } from "./model"
import type { KvLayout, ModelPriority } from "./settings"

/** A worker's report once its model is loaded. */
export type LoadedModelInfo = LoadedTextInfo | LoadedEmbeddingInfo | LoadedMediaInfo

/** Reported by every worker. */
export interface CommonLoadedInfo {
  readonly footprint: MemoryFootprint
  /** Requests processed in parallel. */
  readonly slots: number
  readonly modelBytes: number
  /** Devices used for computing. */
  readonly devices: readonly string[]
}

/** Reported for a tts, asr or image model. */
export interface LoadedMediaInfo extends CommonLoadedInfo {
  readonly kind: "tts" | "asr" | "image"
  readonly family: string
  readonly threads: number
}

/** Reported for an embedding model. */
export interface LoadedEmbeddingInfo extends CommonLoadedInfo {
  readonly kind: "embedding"
  /** llama.cpp's name of the architecture. */
  readonly family: string
  readonly threads: number
  /** The longest text, in tokens. */
  readonly contextLength: number
  readonly trainedContextLength: number
  /** Numbers in a vector. */
  readonly dimensions: number
  readonly pooling: Pooling
  readonly gpuLayers: number
  readonly totalLayers: number
  /** As of a text model. */
  readonly gpuFallback?: string
}

/** Reported for a text model. */
export interface LoadedTextInfo extends CommonLoadedInfo {
  readonly kind: "text"
  /** The longest single conversation, in tokens. */
  readonly contextLength: number
  readonly trainedContextLength: number
  /** Absent: it has no rotary position embeddings. */
  readonly rope?: RopeInfo
  /** Why that is shorter than the trained length, without the user's having set it. */
  readonly contextLimitedBy?: "memory"
  /** At present, as are `kvCells` and `kvBytes`. */
  readonly kvLayout: KvLayout
  /** Size of the whole KV pool, in tokens. */
  readonly kvCells: number
  readonly kvBytes: number
  /** Sizes up to which the pool may grow. */
  readonly kvMostCells: number
  readonly kvMostBytes: number
  readonly gpuLayers: number
  readonly totalLayers: number
  /** Why no GPU is used although one could be; absent where nothing is wrong. */
  readonly gpuFallback?: string
  readonly decodeThreads: number
  readonly prefillThreads: number
  readonly vocabularySize: number
  /** Bytes of the vocabulary's longest token; absent: the tokenizer rewrites text before splitting it. */
  readonly longestTokenBytes?: number
  readonly chatTemplate: "model" | "built-in"
  /** The built-in format in use and the reason, in one sentence. */
  readonly templateFallback?: string
  readonly fillInTheMiddle: boolean
  readonly speculation: SpeculationInfo
  /** Absent: it reads text only. */
  readonly projector?: LoadedProjectorInfo
}

/** What a model sees or hears with. */
export interface LoadedProjectorInfo {
  readonly sees: boolean
  readonly hears: boolean
  /** A GPU's name, or `CPU`. */
  readonly device: string
  /** Why it is not computed on a GPU although one is used; absent where nothing is wrong. */
  readonly gpuFallback?: string
  /** Weights, and the buffers in which it encodes. */
  readonly bytes: number
  /** The most cells of the context that one of its runs of embeddings takes. */
  readonly mostCells: number
}

/** Whether a model's answers are guessed ahead. */
export interface SpeculationInfo {
  readonly isOn: boolean
  /** From what and when, or why not; a phrase. */
  readonly explanation: string
}

/** The rotary position embeddings in use, from the settings or the model's file. */
export interface RopeInfo {
  /** `none`, `linear`, `yarn`, or another method that the file names. */
  readonly scaling: string
  readonly freqBase: number
  readonly freqScale: number
  /** With `yarn` only. */
  readonly originalContext?: number
}

export type ModelState = "loading" | "ready" | "stopping"

/** A worker of a model; a model with replicas has several. */
export interface LoadedModel {
  readonly name: string
  readonly kind: ModelKind
  /** Replica number, from 1. Absent: the model has only one. */
  readonly replica?: number
  readonly id: string
  readonly state: ModelState
  /** 0 to 1, while loading. */
  readonly progress: number
  readonly pid: number | undefined
  readonly info: LoadedModelInfo | undefined
  readonly sizeBytes: number
  /** Memory counted as taken: as measured by the worker, and before that as estimated. */
  readonly footprint?: MemoryFootprint
  /** Bytes that it may grow to, as far as there is memory; absent: it does not grow. */
  readonly mostBytes?: number
  readonly plan?: LayerPlan
  /** Fallbacks applied so that the load could succeed; one sentence each. */
  readonly notes?: readonly string[]
  /** When it is unloaded if unused; `null`: never. Absent while it is in use. */
  readonly expiresAt?: Date | null
  readonly priority?: ModelPriority
  readonly pinned?: boolean
  readonly activeRequests: number
  /** For the whole model: replicas share one queue, shown by the first one listed. */
  readonly queuedRequests: number
  readonly loadedAt: Date | undefined
  readonly lastUsedAt: Date | undefined
  /** Counters since the load, for metrics and tests. */
  readonly counters: WorkerCounters
}

/** What a text worker did since its model was loaded. */
export interface WorkerCounters extends AdapterUsage, MediaUsage {
  /** Calls of llama_decode. */
  readonly decodeCalls: number
  readonly promptTokensEvaluated: number
  readonly promptTokensCached: number
  readonly tokensGenerated: number
  /** Sequences that gave up their KV cells to others and were recomputed later. */
  readonly preemptions: number
  /** How often the KV cache was made larger. */
  readonly kvGrowths: number
  /** Guessed tokens that were checked, and those of them that were right: each saved its answer a step. */
  readonly draftTokens: number
  readonly draftTokensAccepted: number
  /** The same by the place in the draft, see {@link DRAFT_PLACES}; absent: none. */
  readonly drafts?: DraftCounts
}

/** What a worker has counted at its start. */
export const NO_COUNTERS: WorkerCounters = {
  decodeCalls: 0,
  promptTokensEvaluated: 0,
  promptTokensCached: 0,
  tokensGenerated: 0,
  preemptions: 0,
  kvGrowths: 0,
  draftTokens: 0,
  draftTokensAccepted: 0,
  adapterSwitches: 0,
  adapterLoads: 0,
  mediaEncoded: 0,
  mediaEncodeMs: 0,
}

/** Places in a draft that are counted together, by their last one. */
export const DRAFT_PLACES = [1, 2, 4, 8, 16, 64] as const

/** One number for each of {@link DRAFT_PLACES}. */
export interface DraftCounts {
  readonly checked: readonly number[]
  readonly accepted: readonly number[]
}

/** How many pictures and sounds a text worker encoded, and how long that took. */
export interface MediaUsage {
  readonly mediaEncoded: number
  readonly mediaEncodeMs: number
}

/** What a text worker did with adapters. */
export interface AdapterUsage {
  /** How often a step had other adapters than the one before. */
  readonly adapterSwitches: number
  /** Adapters that requests named and that were not in memory. */
  readonly adapterLoads: number
}

/** What a text worker did with prompts on disk, since its last report. */
export interface DiskUsage {
  /** Prompts that continued one on disk. */
  readonly hits: number
  /** Prompts that were neither in memory nor on disk. */
  readonly misses: number
  readonly bytesRead: number
  readonly bytesWritten: number
  /** What evaluating the prompts that were read would have taken longer than reading them. */
  readonly savedMs: number
}

/** The work of one decode step. */
export interface StepUsage {
  /** Sequences in the step's batch. */
  readonly sequences: number
  /** Tokens in the batch, of prompts and answers. */
  readonly tokens: number
  /** Occupied cells of the KV pool. */
  readonly kvCellsUsed: number
}
