import { ConstraintFailed } from "../../../errors/engine"
import { InvalidRequest } from "../../../errors/request"
import { foldSeed } from "../../../lib/fold-seed"
import type { ShownChoice } from "../../../llama/candidate-list"
import type { Context } from "../../../llama/context"
import type { Model } from "../../../llama/model"
import { candidatesOf, Sampler } from "../../../llama/sampler"
import type { PreparedSampling, TokenBias } from "../prompt/prepared"
import { Dry } from "./dry"
import { DryBreakers } from "./dry-breakers"
import { LikeliestTokens, likeliestToken } from "./likeliest"
import { Penalties } from "./penalties"
import type { TokenRule } from "./token-rule"

/** How often a token is sampled again after a refusal; every refusal leaves fewer tokens. */
const MOST_REFUSALS = 100

/** With more candidates than these, llama.cpp finds them faster. */
const MOST_CANDIDATES = 1024

const NO_TOKENS: ReadonlyMap<number, number> = new Map()

/** Samples the tokens of one sequence. */
export class SequenceSampler implements Disposable {
  readonly #parameters: PreparedSampling
  readonly #penalties: Penalties | undefined
  readonly #dry: Dry | undefined
  /** Undefined for greedy sampling. */
  readonly #sampler: Sampler | undefined
  /** How many of the likeliest tokens the sampler chooses from; undefined: from all. */
  readonly #candidates: number | undefined
  readonly #rule: TokenRule | undefined
  /** Used for one call at a time, by all sequences. */
  static readonly #likeliest = new LikeliestTokens()
  /** Tokens that the request's biases exclude; only where there is a rule. */
  readonly #banned: readonly number[]

  /** What the last token was chosen from; undefined where there was no choice, or `showsChoice` is off. */
  shown: ShownChoice | undefined
  readonly #showsChoice: boolean

  /** `rule`: taken over. `choice` is added to the seed; `contextLength`: the meaning of "the whole context" in penalties. */
  constructor(
    model: Model,
    parameters: PreparedSampling,
    choice: number,
    contextLength: number,
    rule?: TokenRule,
    showsChoice = false,
  ) {
    this.#showsChoice = showsChoice
    this.#rule = rule
    const { tokens, values } = parameters.bias
    this.#banned =
      rule === undefined ? [] : [...tokens].filter((_, place) => values[place] === Number.NEGATIVE_INFINITY)
    this.#parameters = parameters
    this.#penalties = Penalties.of(parameters, contextLength)
    this.#dry = Dry.of(parameters, new DryBreakers(parameters.breakers), contextLength)
    if (parameters.temperature > 0)
      this.#sampler = new Sampler(model, parameters, foldSeed(parameters.seed + choice))
    const candidates = candidatesOf(parameters)
    this.#candidates = candidates !== undefined && candidates <= MOST_CANDIDATES ? candidates : undefined
  }

  /**
   * Samples the token after `tokens` from the logits at `index` of the batch, excluding `ruledOut`. Consumes
   * those logits.
   * @throws NotNumbers, ConstraintFailed, InvalidRequest if the request's biases exclude all tokens
   */
  choose(context: Context, index: number, tokens: readonly number[], ruledOut: readonly number[]): number {
    const logits = context.logits(index)
    const rule = this.#rule
    this.shown = undefined
    if (rule?.forced !== undefined) return this.#force(rule, rule.forced)
    // Where the rule leaves nothing else, excluded tokens are used after all.
    const banned = rule === undefined ? undefined : this.#bannedIn(logits, ruledOut)
    addBias(logits, this.#parameters.bias)
    for (const token of ruledOut) logits[token] = Number.NEGATIVE_INFINITY
    this.#penalties?.apply(logits, tokens)
    this.#dry?.apply(logits, tokens)
    if (rule === undefined || banned === undefined) {
      const token = this.#sample(context, index, logits)
      if (token === undefined)
        throw new InvalidRequest("logit_bias leaves no token to choose from", "logit_bias")
      return token
    }
    return this.#sampleWithin(rule, banned, context, index, logits)
  }

  /** How many tokens of a draft may come next, as far as the rule can tell. */
  fitting(draft: readonly number[]): number {
    const rule = this.#rule
    if (rule === undefined) return draft.length
    return rule.forced === undefined ? rule.fitting(draft) : 0
  }

  /**
   * Nearly always the sampled token may come next; only if not, the rule is applied to the likeliest ones, before
   * truncation, and one of those is sampled.
   */
  #sampleWithin(
    rule: TokenRule,
    banned: ReadonlyMap<number, number>,
    context: Context,
    index: number,
    logits: Float32Array,
  ): number {
    let left: readonly number[] | undefined
    for (let refusals = 0; refusals < MOST_REFUSALS; refusals++) {
      const token =
        left === undefined ? this.#sample(context, index, logits) : this.#sampleAmong(left, logits)
      if (token !== undefined && rule.take(token)) return token
      if (rule.forced !== undefined) return this.#force(rule, rule.forced)
      left = rule.narrow(logits, banned, token) ?? undefined
    }
    throw new ConstraintFailed("none of the likeliest tokens could come next")
  }

  #force(rule: TokenRule, token: number): number {
    this.shown = undefined
    if (!rule.take(token)) throw new ConstraintFailed("what must come next cannot follow")
    return token
  }

  /** Undefined if all tokens are excluded. @throws NotNumbers */
  #sample(context: Context, index: number, logits: Float32Array): number | undefined {
    if (this.#sampler !== undefined && this.#candidates !== undefined)
      return this.#sampleAmong(SequenceSampler.#likeliest.findInOrder(logits, this.#candidates), logits)
    const likeliest = likeliestToken(logits)
    if (this.#sampler === undefined || likeliest === undefined) return likeliest
    if (!this.#showsChoice) return this.#sampler.sample(context, index)
    this.shown = this.#sampler.sampleShown(logits)
    return this.shown.token
  }

  /** Undefined if there are none. */
  #sampleAmong(tokens: ArrayLike<number>, logits: Float32Array): number | undefined {
    if (tokens.length === 0) return undefined
    if (this.#sampler === undefined) return likeliestOf(tokens, logits)
    if (!this.#showsChoice) return this.#sampler.sampleAmong(tokens, logits)
    this.shown = this.#sampler.sampleShown(logits, tokens)
    return this.shown.token
  }

  /** The logits of the tokens that the request excludes. */
  #bannedIn(logits: Float32Array, ruledOut: readonly number[]): ReadonlyMap<number, number> {
    if (ruledOut.length === 0 && this.#banned.length === 0) return NO_TOKENS
    return new Map([...ruledOut, ...this.#banned].map((token) => [token, logits[token] ?? 0]))
  }

  [Symbol.dispose](): void {
    this.#sampler?.[Symbol.dispose]()
    this.#rule?.[Symbol.dispose]()
  }
}

function addBias(logits: Float32Array, { tokens, values }: TokenBias): void {
  for (let place = 0; place < tokens.length; place++)
    // Every token is in the vocabulary, and `values` is as long as `tokens`.
    logits[tokens[place] as number]! += values[place] as number
}

function likeliestOf(tokens: ArrayLike<number>, logits: Float32Array): number | undefined {
  let likeliest = tokens[0]
  for (let place = 1; place < tokens.length; place++) {
    const token = tokens[place] as number // a place below the length
    if ((logits[token] as number) > (logits[likeliest ?? token] as number)) likeliest = token
  }
  return likeliest
}
