import type { EmbeddingEvent, EmbeddingUsage } from "../../domain/embedding"
import type { MediaTimings } from "../../domain/request"
import { InternalError } from "../../errors/base"

/** The numbers for all inputs of a request, in their order. */
export interface CompleteVectors {
  readonly vectors: readonly Float32Array[]
  /** Numbers in the vector of a token, where the inputs' vectors are those of their tokens. */
  readonly tokenWidth?: number
  readonly usage: EmbeddingUsage
  readonly timings: MediaTimings
}

/** Collects the events of one embedding or rerank request. */
export class VectorBuilder {
  readonly #vectors: (Float32Array | undefined)[]
  #tokenWidth: number | undefined
  #done: Extract<EmbeddingEvent, { readonly type: "done" }> | undefined

  constructor(inputs: number) {
    this.#vectors = new Array<Float32Array | undefined>(inputs)
  }

  add(event: EmbeddingEvent): void {
    if (event.type === "done") this.#done = event
    if (event.type !== "vectors") return
    const { indices, values, tokenWidth } = event
    this.#tokenWidth ??= tokenWidth
    const width = values.length / Math.max(1, indices.length)
    for (const [at, index] of indices.entries())
      this.#vectors[index] = values.subarray(at * width, (at + 1) * width)
  }

  /** @throws InternalError if events are missing */
  build(): CompleteVectors {
    const vectors = Array.from(this.#vectors, (vector) => vector ?? [])
    const isWhole = vectors.every((vector) => vector instanceof Float32Array)
    if (this.#done === undefined || !isWhole)
      throw new InternalError("the vectors broke off before their end")
    const { usage, timings } = this.#done
    return {
      vectors,
      usage,
      timings,
      ...(this.#tokenWidth !== undefined && { tokenWidth: this.#tokenWidth }),
    }
  }
}
