import type { SamplingParameters } from "../../../domain/chat"
import type { DryBreakers } from "./dry-breakers"

export type DryParameters = Pick<
  SamplingParameters,
  "dryMultiplier" | "dryBase" | "dryAllowedLength" | "dryPenaltyLastN"
>

/** Natural logarithm of the largest float32: caps the exponent so that the penalty does not overflow. */
const LOG_OF_MOST = 88.7228391

/**
 * "Don't repeat yourself": lowers the logits of tokens that would continue a repetition, more so the longer
 * it is, as llama.cpp's DRY sampler does. That sampler searches the vocabulary for its breakers on every
 * creation (35 ms for the usual four, up to 17 s for 64 of 40 characters, for every choice of a request) and
 * keeps a second copy of the tokens; this one shares both.
 */
export class Dry {
  readonly #multiplier: number
  readonly #base: number
  readonly #allowedLength: number
  readonly #lookBack: number
  readonly #breakers: DryBreakers

  private constructor(parameters: DryParameters, breakers: DryBreakers, lookBack: number) {
    this.#multiplier = Math.fround(parameters.dryMultiplier)
    this.#base = Math.fround(parameters.dryBase)
    this.#allowedLength = parameters.dryAllowedLength
    this.#lookBack = lookBack
    this.#breakers = breakers
  }

  /** Undefined if DRY is off. `contextLength`: the meaning of a negative lookback. */
  static of(parameters: DryParameters, breakers: DryBreakers, contextLength: number): Dry | undefined {
    const { dryMultiplier, dryBase, dryPenaltyLastN } = parameters
    if (dryMultiplier <= 0 || dryBase < 1 || dryPenaltyLastN === 0) return undefined
    return new Dry(parameters, breakers, dryPenaltyLastN < 0 ? contextLength : dryPenaltyLastN)
  }

  /** `tokens`: the whole sequence. */
  apply(logits: Float32Array, tokens: readonly number[]): void {
    const size = Math.min(tokens.length, this.#lookBack)
    if (size <= this.#allowedLength) return
    const most = this.#distanceToBreaker(tokens, size)
    if (most < this.#allowedLength) return
    for (const [token, length] of this.#repetitions(tokens, size, most))
      if (!this.#breakers.isBreaker(token)) logits[token] = (logits[token] ?? 0) - this.#penalty(length)
  }

  /** Number of tokens since the last breaker; no repetition extends beyond it. */
  #distanceToBreaker(tokens: readonly number[], size: number): number {
    for (let distance = 0; distance < size; distance++) {
      const matched = this.#breakers.longestAt(tokens, tokens.length - 1 - distance)
      if (matched !== undefined) return distance - matched
    }
    return size
  }

  /**
   * The tokens that would continue a repetition, with its length so far, at most `most`. Compares the last
   * `size` tokens with themselves at every distance, from the end, in one pass: inside a stretch already
   * compared (from `left` to `right`) the result is known from its other copy (the Z algorithm).
   */
  #repetitions(tokens: readonly number[], size: number, most: number): ReadonlyMap<number, number> {
    const last = tokens.length - 1
    const longest = new Map<number, number>()
    const lengths = scratch(size)
    let left = 0
    let right = 0
    for (let at = 1; at < size; at++) {
      const isInside = at <= right
      let length = isInside ? (lengths[at - left] ?? 0) : 0
      if (!isInside || length > right - at) {
        let end = isInside ? right + 1 : at
        while (end < size && tokens[last - end] === tokens[last - end + at]) end++
        length = Math.min(end - at, most)
        if (end > at) {
          left = at
          right = end - 1
        }
      }
      lengths[at] = length
      if (length < this.#allowedLength) continue
      const next = tokens[last - at + 1] ?? 0
      if (length > (longest.get(next) ?? -1)) longest.set(next, length)
    }
    return longest
  }

  #penalty(length: number): number {
    const most = this.#base > 1.000001 ? Math.trunc(LOG_OF_MOST / Math.log(this.#base)) : 0
    const excess = length - this.#allowedLength
    return Math.fround(this.#multiplier * this.#base ** (most > 0 ? Math.min(excess, most) : excess))
  }
}

let shared = new Int32Array(0)

/** Uninitialized scratch space for `size` numbers, valid until the next call. */
function scratch(size: number): Int32Array {
  if (shared.length < size) shared = new Int32Array(2 * size)
  return shared
}
