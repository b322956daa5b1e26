import type { ChainSampler, SamplingParameters } from "../domain/chat"
import { NativeLibraryError } from "../errors/engine"
import { CandidateList, type ShownChoice } from "./candidate-list"
import type { Context } from "./context"
import type { Library, NativePointer } from "./library"
import type { Model } from "./model"

/** Learning rate window of mirostat version 1, from its paper (arXiv:2007.14966). */
const MIROSTAT_M = 100

/**
 * The parameters of llama.cpp's samplers. Samplers that depend on earlier tokens are applied to the logits
 * before.
 */
export type SamplerParameters = Pick<
  SamplingParameters,
  | "order"
  | "temperature"
  | "dynamicTemperatureRange"
  | "dynamicTemperatureExponent"
  | "topK"
  | "topP"
  | "minP"
  | "typicalP"
  | "topNSigma"
  | "minKeep"
  | "xtcProbability"
  | "xtcThreshold"
  | "mirostat"
  | "mirostatTau"
  | "mirostatEta"
>

/** LLAMA_DEFAULT_SEED: llama.cpp replaces it with a random seed. */
const RANDOM_SEED = 0xffffffff

/** A chain of samplers with its random generator. */
export class Sampler implements Disposable {
  readonly #library: Library
  #ptr: NativePointer | null
  #candidates: CandidateList | undefined

  /** For temperatures above 0. `seed` is taken modulo 2^32. */
  constructor(model: Model, parameters: SamplerParameters, seed: number) {
    const { library } = model
    const chain = library.shim.xllm_sampler_chain_new()
    if (chain === null) throw new NativeLibraryError("the sampler chain could not be made")
    this.#library = library
    this.#ptr = chain
    const members = chainMembers(model, parameters, seed >>> 0 === RANDOM_SEED ? 0 : seed >>> 0)
    for (const member of members) if (member !== null) library.llama.llama_sampler_chain_add(chain, member)
    if (!members.includes(null)) return
    this[Symbol.dispose]()
    throw new NativeLibraryError("a sampler could not be made")
  }

  /** Samples from the logits of the batch's token `index`, which must not be NaN, nor all -Infinity. */
  sample(context: Context, index: number): number {
    return this.#library.llama.llama_sampler_sample(this.#chain, context.ptr, index)
  }

  /** Samples from some tokens only, of which there must be one. `logits`: of the whole vocabulary. */
  sampleAmong(tokens: ArrayLike<number>, logits: Float32Array): number {
    const candidates = this.#listFor(tokens.length)
    candidates.fillWith(tokens, logits)
    this.#apply(candidates)
    const { chosen } = candidates
    this.#library.llama.llama_sampler_accept(this.#chain, chosen)
    return chosen
  }

  /**
   * Samples like {@link sample}, from all tokens' logits or those of some tokens, and tells what the samplers left to
   * choose from. With all tokens it takes about twice as long.
   */
  sampleShown(logits: Float32Array, tokens?: ArrayLike<number>): ShownChoice {
    const candidates = this.#listFor(tokens?.length ?? logits.length)
    if (tokens === undefined) candidates.fill(logits)
    else candidates.fillWith(tokens, logits)
    this.#apply(candidates)
    const chosen = candidates.read()
    this.#library.llama.llama_sampler_accept(this.#chain, chosen.token)
    return chosen
  }

  #listFor(count: number): CandidateList {
    if (this.#candidates === undefined || this.#candidates.capacity < count)
      this.#candidates = new CandidateList(count)
    return this.#candidates
  }

  #apply({ list }: CandidateList): void {
    this.#library.llama.llama_sampler_apply(this.#chain, list)
  }

  get #chain(): NativePointer {
    if (this.#ptr === null) throw new NativeLibraryError("the sampler is disposed")
    return this.#ptr
  }

  /** Frees the chain and its samplers. */
  [Symbol.dispose](): void {
    if (this.#ptr !== null) this.#library.llama.llama_sampler_free(this.#ptr)
    this.#ptr = null
  }
}

/** The samplers in llama.cpp's usual order, without those that are off. */
function chainMembers(model: Model, parameters: SamplerParameters, seed: number): (NativePointer | null)[] {
  const { llama } = model.library
  const p = parameters
  if (p.mirostat === 1)
    return [
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
    return [temperature(model, p), llama.llama_sampler_init_mirostat_v2(seed, p.mirostatTau, p.mirostatEta)]
  const order = p.order ?? USUAL_ORDER
  const chain = order.flatMap((name) => MEMBERS[name](model, p, seed) ?? [])
  return [...chain.map(({ address }) => address), llama.llama_sampler_init_dist(seed)]
}

/** llama.cpp's default, without the samplers that are applied before. */
const USUAL_ORDER: readonly ChainSampler[] = [
  "topNSigma",
  "topK",
  "typicalP",
  "topP",
  "minP",
  "xtc",
  "temperature",
]

/** How many of the likeliest tokens a chain chooses from, if that is where it begins. */
export function candidatesOf(parameters: SamplerParameters): number | undefined {
  const { order = USUAL_ORDER, mirostat, topNSigma, topK } = parameters
  const first = order.find((name) => name !== "topNSigma" || topNSigma >= 0)
  return mirostat === 0 && first === "topK" && topK > 0 ? topK : undefined
}

/** A sampler; `null`: it could not be made. */
interface Made {
  readonly address: NativePointer | null
}

/** Makes each sampler; undefined where the parameters turn it off. */
const MEMBERS: Readonly<
  Record<ChainSampler, (model: Model, parameters: SamplerParameters, seed: number) => Made | undefined>
> = {
  topNSigma: ({ library: { llama } }, p) =>
    p.topNSigma >= 0 ? { address: llama.llama_sampler_init_top_n_sigma(p.topNSigma) } : undefined,
  topK: ({ library: { llama } }, p) =>
    p.topK > 0 ? { address: llama.llama_sampler_init_top_k(p.topK) } : undefined,
  typicalP: ({ library: { llama } }, p) =>
    p.typicalP < 1 ? { address: llama.llama_sampler_init_typical(p.typicalP, p.minKeep) } : undefined,
  topP: ({ library: { llama } }, p) =>
    p.topP < 1 ? { address: llama.llama_sampler_init_top_p(p.topP, p.minKeep) } : undefined,
  minP: ({ library: { llama } }, p) =>
    p.minP > 0 ? { address: llama.llama_sampler_init_min_p(p.minP, p.minKeep) } : undefined,
  xtc: ({ library: { llama } }, p, seed) =>
    p.xtcProbability > 0
      ? { address: llama.llama_sampler_init_xtc(p.xtcProbability, p.xtcThreshold, p.minKeep, seed) }
      : undefined,
  temperature: (model, p) => ({ address: temperature(model, p) }),
  infill: ({ library: { llama }, vocabulary }) => ({
    address: llama.llama_sampler_init_infill(vocabulary.share().address),
  }),
}

function temperature(model: Model, parameters: SamplerParameters): NativePointer | null {
  const { llama } = model.library
  const { temperature, dynamicTemperatureRange, dynamicTemperatureExponent } = parameters
  return dynamicTemperatureRange > 0
    ? llama.llama_sampler_init_temp_ext(temperature, dynamicTemperatureRange, dynamicTemperatureExponent)
    : llama.llama_sampler_init_temp(temperature)
}
