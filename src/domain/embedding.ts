import type { MediaTimings, RequestOptions, WaitingEvent } from "./request"

/** A text to embed, or its token ids. */
export type EmbeddingInput = string | readonly number[]

/** Which end of a text that is too long is kept; `no`: it is refused. */
export type Truncation = "no" | "start" | "end"

/** How the vectors of a text's tokens become one, as llama.cpp names and numbers it. */
export const POOLINGS = ["none", "mean", "cls", "last", "rank"] as const

/** `rank`: they become a score, by the model's own head. */
export type Pooling = (typeof POOLINGS)[number]

/** What embedding and rerank requests have in common. */
interface InputLimits {
  /** Absent: as long as the model takes. */
  readonly maxTokens?: number
  readonly truncation: Truncation
}

/** A request for the vectors of texts. */
export interface EmbeddingRequest extends RequestOptions, InputLimits {
  readonly kind: "embedding"
  readonly inputs: readonly EmbeddingInput[]
  /** The first numbers of each vector; absent: all of them. */
  readonly dimensions?: number
  /**
   * What a vector is scaled by, in llama.cpp's numbers: p for the p-norm, which is then 1; 0 for the largest number, which
   * is then 32760; -1 for nothing. Absent: 2, the usual length.
   */
  readonly norm?: number
  /** The caller takes a vector for each token where the model's are not pooled; otherwise it refuses. */
  readonly takesTokens?: true
}

/** A request for scores: how well documents answer a query, as the model computes them. */
export interface RerankRequest extends RequestOptions, InputLimits {
  readonly kind: "rerank"
  readonly query: string
  readonly documents: readonly string[]
}

/** The events of an embedding or rerank request: any waiting, then `vectors` as they are computed, and `done`. */
export type EmbeddingEvent =
  | WaitingEvent
  | {
      readonly type: "vectors"
      /** The inputs that they belong to, in any order. */
      readonly indices: Int32Array
      /** One vector after another; of a rerank request one score each. */
      readonly values: Float32Array
      /** Numbers in the vector of a token, where each has its own: then the values are those of one input. */
      readonly tokenWidth?: number
    }
  | {
      readonly type: "done"
      readonly usage: EmbeddingUsage
      readonly timings: MediaTimings
    }

export interface EmbeddingUsage {
  /** Of all inputs, as the model read them. */
  readonly inputTokens: number
  /** Texts; of a rerank request pairs. */
  readonly inputs: number
}
