import { ptr } from "bun:ffi"
import type { SamplingParameters } from "../domain"
import { RuntimeBroken } from "../errors"
import type { Context } from "./context"
import { type Address, cString, type Library } from "./library"
import type { Model } from "./model"

/** Learning rate window of mirostat version 1, from its paper (arXiv:2007.14966). */
const MIROSTAT_M = 100

/** A chain of samplers with the state of one sequence: what was generated, and the random generator. */
export class Sampler implements Disposable {
  readonly #library: Library
  #ptr: Address | null
  /** Do the chain's choices depend on earlier tokens? If not, `accept` may be left out for the prompt. */
  readonly remembersTokens: boolean
  readonly #greedy: boolean

  /** `seed` is used as it is; `lookBack`: tokens that "the whole context" means to penalties. */
  constructor(model: Model, parameters: SamplingParameters, seed: number, lookBack: number) {
    const { library } = model
    const chain = library.shim.xllm_sampler_chain_new()
    if (chain === null) throw new RuntimeBroken("the sampler chain could not be made")
    this.#library = library
    this.#ptr = chain
    const members = chainMembers(model, parameters, seed >>> 0, lookBack)
    for (const member of members) {
      if (member === null) throw new RuntimeBroken("a sampler could not be made")
      library.llama.llama_sampler_chain_add(chain, member)
    }
    this.remembersTokens = hasPenalties(parameters) || parameters.dryMultiplier > 0
    this.#greedy = parameters.temperature <= 0 && !this.remembersTokens
  }

  /** Chooses from the logits of the batch's token `index`, and remembers the choice. */
  sample(context: Context, index: number): number {
    // The chain would first copy the whole vocabulary into structs.
    if (this.#greedy) return indexOfLargest(context.logits(index))
    return this.#library.llama.llama_sampler_sample(this.ptr, context.ptr, index)
  }

  /** Remembers a token that was not chosen here, such as one of the prompt. */
  accept(token: number): void {
    this.#library.llama.llama_sampler_accept(this.ptr, token)
  }

  private get ptr(): Address {
    if (this.#ptr === null) throw new RuntimeBroken("the sampler is disposed")
    return this.#ptr
  }

  [Symbol.dispose](): void {
    if (this.#ptr !== null) this.#library.llama.llama_sampler_free(this.#ptr)
    this.#ptr = null
  }
}

function indexOfLargest(values: Float32Array): number {
  let best = 0
  let largest = Number.NEGATIVE_INFINITY
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number // an index below the length
    if (value > largest) {
      largest = value
      best = index
    }
  }
  return best
}

function hasPenalties(parameters: SamplingParameters): boolean {
  const { repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN } = parameters
  return repeatLastN !== 0 && (repeatPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0)
}

/** The samplers in llama.cpp's usual order; those that are off are left out. */
function chainMembers(
  model: Model,
  parameters: SamplingParameters,
  seed: number,
  lookBack: number,
): (Address | null)[] {
  const { llama } = model.library
  const p = parameters
  const history = [...penalties(model, p, lookBack), ...dry(model, p, lookBack)]
  if (p.temperature <= 0) return [...history, llama.llama_sampler_init_greedy()]
  if (p.mirostat === 1)
    return [
      ...history,
      temperature(model, p),
      llama.llama_sampler_init_mirostat(
        model.vocabulary.size,
        seed,
        p.mirostatTau,
        p.mirostatEta,
        MIROSTAT_M,
      ),
    ]
  if (p.mirostat === 2)
    return [
      ...history,
      temperature(model, p),
      llama.llama_sampler_init_mirostat_v2(seed, p.mirostatTau, p.mirostatEta),
    ]
  const chain = history
  if (p.topNSigma >= 0) chain.push(llama.llama_sampler_init_top_n_sigma(p.topNSigma))
  if (p.topK > 0) chain.push(llama.llama_sampler_init_top_k(p.topK))
  if (p.typicalP < 1) chain.push(llama.llama_sampler_init_typical(p.typicalP, p.minKeep))
  if (p.topP < 1) chain.push(llama.llama_sampler_init_top_p(p.topP, p.minKeep))
  if (p.minP > 0) chain.push(llama.llama_sampler_init_min_p(p.minP, p.minKeep))
  if (p.xtcProbability > 0)
    chain.push(llama.llama_sampler_init_xtc(p.xtcProbability, p.xtcThreshold, p.minKeep, seed))
  chain.push(temperature(model, p), llama.llama_sampler_init_dist(seed))
  return chain
}

function temperature(model: Model, parameters: SamplingParameters): Address | null {
  const { llama } = model.library
  const { temperature, dynamicTemperatureRange, dynamicTemperatureExponent } = parameters
  return dynamicTemperatureRange > 0
    ? llama.llama_sampler_init_temp_ext(temperature, dynamicTemperatureRange, dynamicTemperatureExponent)
    : llama.llama_sampler_init_temp(temperature)
}

function penalties(model: Model, parameters: SamplingParameters, lookBack: number): (Address | null)[] {
  if (!hasPenalties(parameters)) return []
  const { repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN } = parameters
  return [
    model.library.llama.llama_sampler_init_penalties(
      model.vocabulary.size,
      repeatLastN < 0 ? lookBack : repeatLastN,
      repeatPenalty,
      frequencyPenalty,
      presencePenalty,
    ),
  ]
}

function dry(model: Model, parameters: SamplingParameters, lookBack: number): (Address | null)[] {
  if (parameters.dryMultiplier <= 0) return []
  const breakers = parameters.drySequenceBreakers.map(cString)
  const pointers = BigUint64Array.from(breakers, (text) => BigInt(ptr(text)))
  const sampler = model.library.llama.llama_sampler_init_dry(
    // The vocabulary's address is model-private; its share is the way to name it inside `llama/`.
    model.vocabulary.share().address,
    parameters.dryMultiplier,
    parameters.dryBase,
    parameters.dryAllowedLength,
    parameters.dryPenaltyLastN < 0 ? lookBack : parameters.dryPenaltyLastN,
    pointers.length === 0 ? null : pointers,
    pointers.length,
  )
  return [sampler]
}
