import { NotNumbers } from "../../../errors/engine"
import { InvalidRequest } from "../../../errors/request"
import { foldSeed } from "../../../lib/fold-seed"
import type { Context } from "../../../llama/context"
import type { Model } from "../../../llama/model"
import { Sampler } from "../../../llama/sampler"
import type { PreparedSampling, TokenBias } from "../prompt/prepared"
import type { Constraint } from "./constraint"
import { Dry } from "./dry"
import { DryBreakers } from "./dry-breakers"
import { Penalties } from "./penalties"

/** Samples the tokens of one sequence. */
export class SequenceSampler implements Disposable {
  readonly #parameters: PreparedSampling
  readonly #penalties: Penalties | undefined
  readonly #dry: Dry | undefined
  /** Undefined for greedy sampling. */
  readonly #sampler: Sampler | undefined
  readonly #constraint: Constraint | undefined
  /** Tokens that a bias rules out. */
  readonly #bannedTokens: readonly number[]

  /** `constraint`: taken over. `choice` is added to the seed; `contextLength`: the meaning of "the whole context" in penalties. */
  constructor(
    model: Model,
    parameters: PreparedSampling,
    choice: number,
    contextLength: number,
    constraint?: Constraint,
  ) {
    this.#constraint = constraint
    this.#parameters = parameters
    this.#bannedTokens = bannedBy(parameters.bias)
    this.#penalties = Penalties.of(parameters, contextLength)
    this.#dry = Dry.of(parameters, new DryBreakers(parameters.breakers), contextLength)
    if (parameters.temperature > 0)
      this.#sampler = new Sampler(model, parameters, foldSeed(parameters.seed + choice))
  }

  /**
   * Samples the token after `tokens` from the logits at `index` of the batch, excluding `ruledOut`. Consumes
   * those logits.
   * @throws NotNumbers, ConstraintFailed, InvalidRequest if the request's biases exclude all tokens
   */
  choose(context: Context, index: number, tokens: readonly number[], ruledOut: readonly number[]): number {
    const logits = context.logits(index)
    const constraint = this.#constraint
    // Where the grammar leaves nothing else, excluded tokens are used after all.
    const excluded = constraint === undefined ? undefined : this.#excludedFrom(logits, ruledOut)
    addBias(logits, this.#parameters.bias)
    for (const token of ruledOut) logits[token] = Number.NEGATIVE_INFINITY
    this.#penalties?.apply(logits, tokens)
    this.#dry?.apply(logits, tokens)
    const likeliest = likeliestOf(logits)
    if (constraint !== undefined) {
      const token = this.#chooseWithin(constraint, excluded, likeliest, context, index, logits)
      constraint.accept(token)
      return token
    }
    if (likeliest < 0) throw new InvalidRequest("logit_bias leaves no token to choose from", "logit_bias")
    return this.#sampler === undefined ? likeliest : this.#sampler.sample(context, index)
  }

  /**
   * Nearly always the sampled token is allowed; only if not, the grammar is applied to the likeliest ones, before
   * truncation, and one of those is sampled.
   */
  #chooseWithin(
    constraint: Constraint,
    excluded: ReadonlyMap<number, number> | undefined,
    likeliest: number,
    context: Context,
    index: number,
    logits: Float32Array,
  ): number {
    if (likeliest >= 0) {
      const first = this.#sampler === undefined ? likeliest : this.#sampler.sample(context, index)
      if (constraint.allows(first)) return first
    }
    const best = constraint.narrow(logits, excluded)
    return this.#sampler === undefined ? best : this.#sampler.sample(context, index)
  }

  /** The logits of the tokens that the request excludes, if there are any. */
  #excludedFrom(logits: Float32Array, ruledOut: readonly number[]): ReadonlyMap<number, number> | undefined {
    if (ruledOut.length === 0 && this.#bannedTokens.length === 0) return undefined
    return new Map([...ruledOut, ...this.#bannedTokens].map((token) => [token, logits[token] ?? 0]))
  }

  [Symbol.dispose](): void {
    this.#sampler?.[Symbol.dispose]()
    this.#constraint?.[Symbol.dispose]()
  }
}

function bannedBy({ tokens, values }: TokenBias): readonly number[] {
  return Array.from(tokens).filter((_token, place) => values[place] === Number.NEGATIVE_INFINITY)
}

function addBias(logits: Float32Array, { tokens, values }: TokenBias): void {
  for (let place = 0; place < tokens.length; place++)
    // Every token is in the vocabulary, and `values` is as long as `tokens`.
    logits[tokens[place] as number]! += values[place] as number
}

/**
 * The token with the largest logit, -1 if all are -Infinity. llama.cpp's samplers treat NaN as any number and continue,
 * so NaN is checked for before they run.
 */
function likeliestOf(logits: Float32Array): number {
  let likeliest = -1
  let largest = Number.NEGATIVE_INFINITY
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token] as number // an id below the length
    if (logit > largest) {
      largest = logit
      likeliest = token
    } else if (logit !== logit) throw new NotNumbers()
  }
  if (largest === Number.POSITIVE_INFINITY) throw new NotNumbers()
  return likeliest
}
