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
  /** Of each text, once it is done; without pooling those of its tokens, one after another. */
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
    if (this.#context.pooling !== "none")
      return this.#texts.map((_, sequence) => this.#context.vector(sequence))
    let index = 0
    return this.#texts.map((tokens) => {
      const vectors = new Float32Array(tokens.length * this.#context.width)
      for (let place = 0; place < tokens.length; place++)
        vectors.set(this.#context.tokenVector(index++), place * this.#context.width)
      return vectors
    })
  }
}

/** A token of a decode. */
interface Row {
  readonly index: number
  readonly text: number
  /** In its text. */
  readonly position: number
}

/**
 * Tokens that see only what is before them are computed in parts, and pooled here: so a long text takes no more memory
 * than a short one, apart from the cache, and no longer a step.
 */
class GradualPass implements Pass {
  readonly #context: PassContext
  readonly #texts: readonly Int32Array[]
  /** Without pooling the vectors of all tokens. */
  readonly #sums: readonly Float64Array[]
  readonly #keepsAll: boolean
  readonly #batch: Batch
  #text = 0
  #position = 0

  constructor(context: PassContext, texts: readonly Int32Array[]) {
    this.#context = context
    this.#texts = texts
    this.#keepsAll = context.pooling === "none"
    this.#sums = texts.map(({ length }) => new Float64Array(context.width * (this.#keepsAll ? length : 1)))
    this.#batch = new Batch(PART_TOKENS, texts.length)
  }

  next(): "more" | "done" | "failed" {
    const isFirst = this.#text === 0 && this.#position === 0
    const rows = this.#fill()
    if (!this.#context.decode(this.#batch, isFirst)) return "failed"
    for (const { index, text, position } of rows) {
      const from = this.#keepsAll ? position * this.#context.width : 0
      const sum = this.#sums[text]?.subarray(from)
      for (const [at, value] of this.#context.tokenVector(index).entries())
        if (sum !== undefined) sum[at] = (sum[at] ?? 0) + value
    }
    return this.#text < this.#texts.length ? "more" : "done"
  }

  #fill(): readonly Row[] {
    const rows: Row[] = []
    this.#batch.clear()
    while (this.#batch.size < PART_TOKENS) {
      const tokens = this.#texts[this.#text]
      if (tokens === undefined) break
      const isLast = this.#position === tokens.length - 1
      const counts = isLast || this.#context.pooling !== "last"
      // llama.cpp computes all vectors, asked for or not.
      const index = this.#batch.add(tokens[this.#position] ?? 0, this.#position, this.#text, true)
      if (counts) rows.push({ index, text: this.#text, position: this.#position })
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
