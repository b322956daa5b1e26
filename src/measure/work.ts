import type { TextModelSettings } from "../domain/settings"

/** What a context for measuring is made with; the rest is as the model was loaded. */
export interface MeasuredContext {
  /** The maximum number of tokens per decode, and of those computed at once. */
  readonly batchTokens: number
  readonly microBatchTokens: number
  readonly threads: number
  readonly flashAttention: TextModelSettings["flashAttention"]
  readonly kvTypeK: TextModelSettings["kvTypeK"]
  readonly kvTypeV: TextModelSettings["kvTypeV"]
}

/**
 * Something to time, without sampling: random tokens that are read at once (`prompt`), generated one by one
 * (`generate`), or computed in steps of a few tokens with the logits of each (`batch`), behind `depth` tokens that are
 * not timed.
 */
export interface TimedWork {
  readonly kind: "prompt" | "generate" | "batch"
  /** Of `batch`: in each step. */
  readonly tokens: number
  readonly depth: number
  readonly warmup: number
  readonly repetitions: number
}

/** Bytes that parts of a model take. `ram`: the growth of the process's resident pages. */
export interface MeasuredMemory {
  readonly ramBytes: number
  readonly devices: readonly { readonly name: string; readonly bytes: number }[]
}

/** How one model's answers to one text differ from another's. Natural logarithms. */
export interface WindowScores {
  /** Scored tokens of this window, and their bytes. */
  readonly tokens: number
  readonly bytes: number
  /** One value for each scored token. */
  readonly negativeLogProbs: Float64Array
  /** Only of a model that is compared with the first. */
  readonly divergences?: Float64Array
  /** How often both had the same most probable token. */
  readonly sameTop?: number
}

/** A model that is loaded for measuring. */
export interface LoadedForMeasuring {
  readonly gpuLayers: number
  readonly totalLayers: number
  readonly devices: readonly string[]
  readonly vocabularySize: number
  readonly weightBytes: number
  readonly trainedContextLength: number
}
