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
    const banned = constraint === undefined ? undefined : this.#bannedIn(logits, ruledOut)
    addBias(logits, this.#parameters.bias)
    for (const token of ruledOut) logits[token] = Number.NEGATIVE_INFINITY
    this.#penalties?.apply(logits, tokens)
    this.#dry?.apply(logits, tokens)
    if (constraint === undefined || banned === undefined) return this.#sample(context, index, logits)
    return this.#sampleWithin(constraint, banned, context, index, logits)
  }

  /**
   * Nearly always the sampled token is allowed; only if not, the grammar is applied to the likeliest ones, before
   * truncation, and one of those is sampled.
   */
  #sampleWithin(
    constraint: Constraint,
    banned: ReadonlyMap<number, number>,
    context: Context,
    index: number,
    logits: Float32Array,
  ): number {
    const first = isAllBanned(logits) ? undefined : this.#sample(context, index, logits)
    if (first !== undefined && constraint.allows(first)) return this.#accepted(constraint, first)
    constraint.narrow(logits, banned)
    return this.#accepted(constraint, this.#sample(context, index, logits))
  }

  #accepted(constraint: Constraint, token: number): number {
    constraint.accept(token)
    return token
  }

  #sample(context: Context, index: number, logits: Float32Array): number {
    const likeliest = likeliestOf(logits)
    return this.#sampler === undefined ? likeliest : this.#sampler.sample(context, index)
  }

  /** The logits of the tokens that the request excludes. */
  #bannedIn(logits: Float32Array, ruledOut: readonly number[]): ReadonlyMap<number, number> {
    const { tokens, values } = this.#parameters.bias
    const biased = [...tokens].filter((_token, place) => values[place] === Number.NEGATIVE_INFINITY)
    return new Map([...ruledOut, ...biased].map((token) => [token, logits[token] ?? 0]))
  }

  [Symbol.dispose](): void {
    this.#sampler?.[Symbol.dispose]()
    this.#constraint?.[Symbol.dispose]()
  }
}

function addBias(logits: Float32Array, { tokens, values }: TokenBias): void {
  for (let place = 0; place < tokens.length; place++)
    // Every token is in the vocabulary, and `values` is as long as `tokens`.
    logits[tokens[place] as number]! += values[place] as number
}

function isAllBanned(logits: Float32Array): boolean {
  return logits.every((logit) => logit === Number.NEGATIVE_INFINITY)
}

/** llama.cpp's samplers treat NaN as any number and continue, so NaN is checked for before they run. */
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
  if (likeliest < 0) throw new InvalidRequest("logit_bias leaves no token to choose from", "logit_bias")
  return likeliest
}
