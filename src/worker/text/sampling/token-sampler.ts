import type { TokenLogprob } from "../../../domain/chat"
import type { Model } from "../../../llama/model"
import type { Vocabulary } from "../../../llama/vocabulary"
import type { Runtime } from "../runtime"
import type { PreparedConstraint } from "../prompt/prepared"
import type { Sequence } from "../sequence"
import { bytePattern } from "../markers"
import { Constraint } from "./constraint"
import { LogprobReader, logprobOfChoice } from "./logprobs"
import { SequenceSampler } from "./sequence-sampler"
import { ThinkingRule } from "./thinking-rule"
import { TokenPieces } from "./token-pieces"
import { AnyToken, type TokenRule } from "./token-rule"
import { TriggeredRule, Triggers } from "./triggered-rule"

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
  readonly #pieces: TokenPieces
  /** By those of the request, whose choices share them. */
  readonly #triggers = new WeakMap<object, Triggers>()

  constructor(runtime: Pick<Runtime, "context">, model: Model, contextLength: number) {
    this.#runtime = runtime
    this.#model = model
    this.#vocabulary = model.vocabulary
    this.#pieces = new TokenPieces(model.vocabulary)
    this.#contextLength = contextLength
    this.#endTokens = model.vocabulary.endTokens()
  }

  /**
   * Samples the next token of `sequence` from the logits at `index` of the batch. Consumes those logits.
   * @throws DecodeFailed if they are NaN, ConstraintFailed, InvalidRequest if the request excludes all tokens
   */
  sample(sequence: Sequence, index: number): SampledToken {
    const { context } = this.#runtime
    const { topLogprobs, logprobsAfterSampling, sampling } = sequence.request.prepared
    const isAfter = topLogprobs !== undefined && logprobsAfterSampling
    const reader = topLogprobs === undefined || isAfter ? undefined : LogprobReader.of(context.logits(index))
    sequence.sampler ??= new SequenceSampler(
      this.#model,
      sampling,
      sequence.choice,
      this.#contextLength,
      this.#ruleOf(sequence),
      isAfter,
    )
    const token = sequence.sampler.choose(context, index, sequence.tokens, this.#ruledOut(sequence))
    const bytes = (id: number): Uint8Array => this.#vocabulary.bytes(id)
    return {
      token,
      logprob: isAfter
        ? logprobOfChoice(token, sequence.sampler.shown, topLogprobs, bytes)
        : reader?.read(token, topLogprobs ?? 0, bytes),
    }
  }

  /** What may come next in an answer; undefined if that is anything at any time. */
  #ruleOf(sequence: Sequence): TokenRule | undefined {
    const { grammar, prepared } = sequence.request
    const reasoning = prepared.answer?.reasoning
    const mustAnswer = prepared.constraint !== undefined && prepared.constraint.triggers === undefined
    const isThinking =
      reasoning !== undefined &&
      (reasoning.isOpen || reasoning.mayBegin || !mustAnswer) &&
      (grammar !== undefined || reasoning.budget !== undefined)
    if (!isThinking) return grammar === undefined ? undefined : this.#answerRule(sequence)
    return new ThinkingRule({
      start: bytePattern(reasoning.start),
      end: bytePattern(reasoning.end),
      isOpen: reasoning.isOpen,
      ...(reasoning.budget !== undefined && { budget: reasoning.budget }),
      mustAnswer,
      pieces: this.#pieces,
      answer: () => this.#answerRule(sequence),
    })
  }

  #answerRule({ request: { grammar, prepared } }: Sequence): TokenRule {
    const { constraint } = prepared
    if (grammar === undefined || constraint === undefined) return new AnyToken()
    const named = new Set(constraint.tokens)
    const begin = (): Constraint => new Constraint(grammar.clone(), this.#vocabulary, this.#endTokens, named)
    if (constraint.triggers === undefined) return begin()
    return new TriggeredRule(this.#triggersOf(constraint.triggers), this.#pieces, begin)
  }

  #triggersOf(prepared: NonNullable<PreparedConstraint["triggers"]>): Triggers {
    const known = this.#triggers.get(prepared)
    if (known !== undefined) return known
    const triggers = new Triggers(
      prepared.map(({ marker, tokens }) => ({ marker: bytePattern(marker), tokens })),
    )
    this.#triggers.set(prepared, triggers)
    return triggers
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
