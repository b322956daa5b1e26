import type { SamplingParameters } from "../../../domain/chat"

export type PenaltyParameters = Pick<
  SamplingParameters,
  "repeatPenalty" | "repeatLastN" | "presencePenalty" | "frequencyPenalty"
>

/**
 * Makes tokens less likely that came among the last ones, as llama.cpp's sampler of that name does. That one goes through
 * the vocabulary at every step, and wants to be told every token of a prompt; this one goes through the tokens that
 * came.
 */
export class Penalties {
  readonly #repeat: number
  readonly #presence: number
  readonly #frequency: number
  readonly #lookBack: number
  /** How often each token comes between the two places. */
  readonly #counts = new Map<number, number>()
  #start = 0
  #end = 0

  private constructor(parameters: PenaltyParameters, lookBack: number) {
    this.#repeat = Math.fround(parameters.repeatPenalty)
    this.#presence = Math.fround(parameters.presencePenalty)
    this.#frequency = Math.fround(parameters.frequencyPenalty)
    this.#lookBack = lookBack
  }

  /** Undefined where they change nothing. `contextLength`: what a negative lookback means. */
  static of(parameters: PenaltyParameters, contextLength: number): Penalties | undefined {
    const { repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN } = parameters
    const isOff = repeatPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0
    if (isOff || repeatLastN === 0) return undefined
    return new Penalties(parameters, repeatLastN < 0 ? contextLength : repeatLastN)
  }

  /** `tokens`: the whole sequence, which only ever grows. */
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
    // What has come and gone since the last time counts neither way.
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
