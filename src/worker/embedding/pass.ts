import { Batch } from "../../llama/batch"
import type { EmbeddingContext } from "../../llama/embedding-context"

/** Tokens of one decode of a pass that goes on from decode to decode. */
export const PART_TOKENS = 512

type PassContext = Pick<
  EmbeddingContext,
  "tokens" | "sequences" | "pooling" | "isGradual" | "width" | "decode" | "vector" | "tokenVector"
>

/** Computes some texts, one decode at a time. */
export interface Pass {
  /** Runs the next decode; with `failed` and `done` the pass has ended. */
  next(): "more" | "done" | "failed"
  /** Of each text, once it is done. */
  vectors(): readonly Float32Array[]
}

export function newPass(context: PassContext, texts: readonly Int32Array[]): Pass {
  return context.isGradual ? new GradualPass(context, texts) : new WholePass(context, texts)
}

/** All texts in one decode: where tokens see what follows them, a text cannot be computed in parts. */
class WholePass implements Pass {
  readonly #context: PassContext
  readonly #texts: readonly Int32Array[]

  constructor(context: PassContext, texts: readonly Int32Array[]) {
    this.#context = context
    this.#texts = texts
  }

  next(): "done" | "failed" {
    const count = this.#texts.reduce((sum, { length }) => sum + length, 0)
    const batch = new Batch(count, this.#texts.length)
    for (const [sequence, tokens] of this.#texts.entries())
      for (const [position, token] of tokens.entries()) batch.add(token, position, sequence, true)
    return this.#context.decode(batch, true) ? "done" : "failed"
  }

  vectors(): readonly Float32Array[] {
    return this.#texts.map((_, sequence) => this.#context.vector(sequence))
  }
}

/**
 * Tokens that see only what is before them are computed in parts, and pooled here: so a long text takes no more memory
 * than a short one, apart from the cache, and no longer a step.
 */
class GradualPass implements Pass {
  readonly #context: PassContext
  readonly #texts: readonly Int32Array[]
  readonly #sums: readonly Float64Array[]
  readonly #batch: Batch
  #text = 0
  #position = 0

  constructor(context: PassContext, texts: readonly Int32Array[]) {
    this.#context = context
    this.#texts = texts
    this.#sums = texts.map(() => new Float64Array(context.width))
    this.#batch = new Batch(PART_TOKENS, texts.length)
  }

  next(): "more" | "done" | "failed" {
    const isFirst = this.#text === 0 && this.#position === 0
    const rows = this.#fill()
    if (!this.#context.decode(this.#batch, isFirst)) return "failed"
    for (const { index, text } of rows) {
      const sum = this.#sums[text]
      for (const [at, value] of this.#context.tokenVector(index).entries())
        if (sum !== undefined) sum[at] = (sum[at] ?? 0) + value
    }
    return this.#text < this.#texts.length ? "more" : "done"
  }

  #fill(): readonly { readonly index: number; readonly text: number }[] {
    const rows: { index: number; text: number }[] = []
    this.#batch.clear()
    while (this.#batch.size < PART_TOKENS) {
      const tokens = this.#texts[this.#text]
      if (tokens === undefined) break
      const isLast = this.#position === tokens.length - 1
      const counts = isLast || this.#context.pooling === "mean"
      // llama.cpp computes all vectors, asked for or not.
      const index = this.#batch.add(tokens[this.#position] ?? 0, this.#position, this.#text, true)
      if (counts) rows.push({ index, text: this.#text })
      this.#position = isLast ? 0 : this.#position + 1
      if (isLast) this.#text++
    }
    return rows
  }

  vectors(): readonly Float32Array[] {
    return this.#sums.map((sum, text) => {
      const count = this.#context.pooling === "mean" ? (this.#texts[text]?.length ?? 1) : 1
      return Float32Array.from(sum, (value) => value / count)
    })
  }
}
