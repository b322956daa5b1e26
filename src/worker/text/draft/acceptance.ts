import { LEAST_MATCH, MOST_MATCH } from "./ngram-index"

/** Weight of the newest observation of a stream, and of all streams of a model together. */
const OWN_RATE = 0.12
const SHARED_RATE = 0.02

const LENGTHS = MOST_MATCH - LEAST_MATCH + 1

/**
 * How often a guess was right, by how many tokens had matched before it: the longer a match, the surer its next token.
 */
export class Acceptance {
  readonly #rates: Float64Array
  readonly #shared: Acceptance | undefined

  private constructor(rates: Float64Array, shared?: Acceptance) {
    this.#rates = rates
    this.#shared = shared
  }

  /** Of guesses from texts, before any was seen. */
  static ofTexts(): Acceptance {
    return new Acceptance(Float64Array.from({ length: LENGTHS }, (_, beyond) => 1 - 0.5 * 0.85 ** beyond))
  }

  /** Of guesses by a model. */
  static ofModel(): Acceptance {
    return new Acceptance(new Float64Array(LENGTHS).fill(0.8))
  }

  /** Of one stream, which starts with what is known of all streams. */
  forStream(): Acceptance {
    return new Acceptance(this.#rates.slice(), this)
  }

  /** Whether the token after a match of that length was the guessed one. */
  observe(matched: number, isRight: boolean): void {
    this.#follow(matched, isRight, this.#shared === undefined ? SHARED_RATE : OWN_RATE)
    this.#shared?.observe(matched, isRight)
  }

  #follow(matched: number, isRight: boolean, rate: number): void {
    const at = indexOf(matched)
    this.#rates[at]! += rate * (Number(isRight) - (this.#rates[at] as number))
  }

  /** The probability that the token after a match of that length is the guessed one. */
  rate(matched: number): number {
    return this.#rates[indexOf(matched)] as number
  }
}

function indexOf(matched: number): number {
  return Math.min(LENGTHS - 1, Math.max(0, matched - LEAST_MATCH))
}
