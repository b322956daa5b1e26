import type { TokenLogprob } from "../../../domain/chat"
import type { Model } from "../../../llama/model"
import type { Vocabulary } from "../../../llama/vocabulary"
import type { Runtime } from "../runtime"
import type { Sequence } from "../sequence"
import { Constraint } from "./constraint"
import { LogprobReader } from "./logprobs"
import { SequenceSampler } from "./sequence-sampler"

export interface SampledToken {
  readonly token: number
  readonly logprob: TokenLogprob | undefined
}

/** Samples tokens according to each sequence's request. */
export class TokenSampler {
  readonly #runtime: Pick<Runtime, "context">
  readonly #model: Model
  readonly #vocabulary: Vocabulary
  readonly #contextLength: number
  readonly #endTokens: readonly number[]

  constructor(runtime: Pick<Runtime, "context">, model: Model, contextLength: number) {
    this.#runtime = runtime
    this.#model = model
    this.#vocabulary = model.vocabulary
    this.#contextLength = contextLength
    this.#endTokens = model.vocabulary.endTokens()
  }

  /**
   * Samples the next token of `sequence` from the logits at `index` of the batch. Consumes those logits.
   * @throws DecodeFailed if they are NaN, ConstraintFailed, InvalidRequest if the request excludes all tokens
   */
  sample(sequence: Sequence, index: number): SampledToken {
    const { context } = this.#runtime
    const { topLogprobs, sampling } = sequence.request.prepared
    const reader = topLogprobs === undefined ? undefined : LogprobReader.of(context.logits(index))
    sequence.sampler ??= new SequenceSampler(
      this.#model,
      sampling,
      sequence.choice,
      this.#contextLength,
      this.#constraintOf(sequence),
    )
    const token = sequence.sampler.choose(context, index, sequence.tokens, this.#ruledOut(sequence))
    return { token, logprob: reader?.read(token, topLogprobs ?? 0, (id) => this.#vocabulary.bytes(id)) }
  }

  #constraintOf({ request }: Sequence): Constraint | undefined {
    const { grammar, prepared } = request
    if (grammar === undefined) return undefined
    const named = new Set(prepared.constraint?.tokens)
    return new Constraint(grammar.clone(), this.#vocabulary, this.#endTokens, named)
  }

  /**
   * End tokens that must not be sampled. Stop tokens named by the request still end it when end tokens are
   * ignored.
   */
  #ruledOut({ request, generated }: Sequence): readonly number[] {
    const { minTokens, stopTokens, sampling } = request.prepared
    if (generated < minTokens) return [...this.#endTokens, ...stopTokens]
    return sampling.ignoreEos ? this.#endTokens.filter((token) => !stopTokens.includes(token)) : []
  }

  /** The log probability of a given token, from the logits at `index` of the batch. @throws DecodeFailed */
  scoreToken(index: number, token: number, count: number): TokenLogprob {
    const reader = LogprobReader.ofUnchanged(this.#runtime.context.logits(index))
    return reader.read(token, count, (id) => this.#vocabulary.bytes(id))
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
