import type { TokenLogprob } from "../../domain"
import type { Context } from "../../llama/context"
import type { Vocabulary } from "../../llama/vocabulary"
import { LogprobReader } from "./logprobs"
import type { Sequence } from "./sequence"

export interface Choice {
  readonly token: number
  readonly logprob: TokenLogprob | undefined
}

/** Chooses tokens from logits, as each sequence's request wants it. */
export class TokenChooser {
  readonly #context: Context
  readonly #vocabulary: Vocabulary
  readonly #endTokens: readonly number[]

  constructor(context: Context, vocabulary: Vocabulary) {
    this.#context = context
    this.#vocabulary = vocabulary
    this.#endTokens = vocabulary.endTokens()
  }

  /** The next token of `sequence`, from the logits at `index` of the batch. Consumes those logits. */
  choose(sequence: Sequence, index: number): Choice {
    const { request, sampler } = sequence
    const { topLogprobs, minTokens } = request.request
    const logits = this.#context.logits(index)
    const reader = topLogprobs === undefined ? undefined : new LogprobReader(logits)
    for (const [token, bias] of request.prompt.logitBias) if (token < logits.length) logits[token]! += bias
    if (request.sampling.ignoreEos || sequence.generated < minTokens)
      for (const token of this.#endTokens) logits[token] = Number.NEGATIVE_INFINITY
    const token = sampler.sample(this.#context, index)
    return { token, logprob: reader?.read(token, topLogprobs ?? 0, (id) => this.#vocabulary.bytes(id)) }
  }

  /** The log probability of a token that is given, from the logits at `index` of the batch. */
  judge(index: number, token: number, count: number): TokenLogprob {
    return new LogprobReader(this.#context.logits(index)).read(token, count, (id) =>
      this.#vocabulary.bytes(id),
    )
  }

  endsGeneration(token: number): boolean {
    return this.#vocabulary.endsGeneration(token)
  }

  bytes(token: number): Uint8Array {
    return this.#vocabulary.bytes(token)
  }
}
