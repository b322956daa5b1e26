import type { SamplingParameters } from "../../../domain/chat"

export type PenaltyParameters = Pick<
  SamplingParameters,
  "repeatPenalty" | "repeatLastN" | "presencePenalty" | "frequencyPenalty"
>

/**
 * Lowers the logits of recent tokens as llama.cpp's penalty sampler does. That sampler scans the whole
 * vocabulary at every step and must be fed every prompt token; this one visits only the recent tokens.
 */
export class Penalties {
  readonly #repeat: number
  readonly #presence: number
  readonly #frequency: number
  readonly #lookBack: number
  /** Occurrences of each token in the current range. */
  readonly #counts = new Map<number, number>()
  #start = 0
  #end = 0

  private constructor(parameters: PenaltyParameters, lookBack: number) {
    this.#repeat = Math.fround(parameters.repeatPenalty)
    this.#presence = Math.fround(parameters.presencePenalty)
    this.#frequency = Math.fround(parameters.frequencyPenalty)
    this.#lookBack = lookBack
  }

  /** Undefined if they have no effect. `contextLength`: the meaning of a negative lookback. */
  static of(parameters: PenaltyParameters, contextLength: number): Penalties | undefined {
    const { repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN } = parameters
    const isOff = repeatPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0
    if (isOff || repeatLastN === 0) return undefined
    return new Penalties(parameters, repeatLastN < 0 ? contextLength : repeatLastN)
  }

  /** `tokens`: the whole sequence, which must only grow between calls. */
  apply(logits: Float32Array, tokens: readonly number[]): void {
    this.#moveTo(tokens)
    for (const [token, count] of this.#counts) {
      const logit = logits[token] ?? 0
      const scaled = Math.fround(logit <= 0 ? logit * this.#repeat : logit / this.#repeat)
      logits[token] = scaled - Math.fround(Math.fround(count * this.#frequency) + this.#presence)
    }
  }

  #moveTo(tokens: readonly number[]): void {
    const start = Math.max(this.#start, tokens.length - this.#lookBack)
    // Tokens that entered and left the range since the last call are skipped.
    for (let at = Math.max(this.#end, start); at < tokens.length; at++) this.#count(tokens[at], 1)
    for (let at = this.#start; at < Math.min(start, this.#end); at++) this.#count(tokens[at], -1)
    this.#start = start
    this.#end = tokens.length
  }

  #count(token: number | undefined, change: 1 | -1): void {
    if (token === undefined) return
    const count = (this.#counts.get(token) ?? 0) + change
    if (count === 0) this.#counts.delete(token)
    else this.#counts.set(token, count)
  }
}
