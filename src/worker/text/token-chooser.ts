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
    const isTooEarly = sequence.generated < minTokens
    if (isTooEarly || request.sampling.ignoreEos)
      ban(
        logits,
        this.#endTokens.filter((token) => isTooEarly || !request.stopTokens.has(token)),
      )
    if (isTooEarly) ban(logits, request.stopTokens)
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

  isControl(token: number): boolean {
    return this.#vocabulary.isControl(token)
  }

  bytes(token: number): Uint8Array {
    return this.#vocabulary.bytes(token)
  }
}

function ban(logits: Float32Array, tokens: Iterable<number>): void {
  for (const token of tokens) if (token < logits.length) logits[token] = Number.NEGATIVE_INFINITY
}
