import { NotNumbers } from "../../../errors/engine"
import { InvalidRequest } from "../../../errors/request"
import { foldSeed } from "../../../lib/fold-seed"
import type { Context } from "../../../llama/context"
import type { Model } from "../../../llama/model"
import { Sampler } from "../../../llama/sampler"
import type { PreparedSampling, TokenBias } from "../prompt/prepared"
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

  /** `choice` is added to the seed; `contextLength`: the meaning of "the whole context" in penalties. */
  constructor(model: Model, parameters: PreparedSampling, choice: number, contextLength: number) {
    this.#parameters = parameters
    this.#penalties = Penalties.of(parameters, contextLength)
    this.#dry = Dry.of(parameters, new DryBreakers(parameters.breakers), contextLength)
    if (parameters.temperature > 0)
      this.#sampler = new Sampler(model, parameters, foldSeed(parameters.seed + choice))
  }

  /**
   * Samples the token after `tokens` from the logits at `index` of the batch, excluding `ruledOut`. Consumes
   * those logits.
   * @throws NotNumbers, InvalidRequest if the request's biases exclude all tokens
   */
  choose(context: Context, index: number, tokens: readonly number[], ruledOut: readonly number[]): number {
    const logits = context.logits(index)
    addBias(logits, this.#parameters.bias)
    for (const token of ruledOut) logits[token] = Number.NEGATIVE_INFINITY
    this.#penalties?.apply(logits, tokens)
    this.#dry?.apply(logits, tokens)
    const likeliest = likeliestOf(logits)
    return this.#sampler === undefined ? likeliest : this.#sampler.sample(context, index)
  }

  [Symbol.dispose](): void {
    this.#sampler?.[Symbol.dispose]()
  }
}

function addBias(logits: Float32Array, { tokens, values }: TokenBias): void {
  for (let place = 0; place < tokens.length; place++)
    // Every token is in the vocabulary, and `values` is as long as `tokens`.
    logits[tokens[place] as number]! += values[place] as number
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
