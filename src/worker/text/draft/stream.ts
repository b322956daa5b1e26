import type { Acceptance } from "./acceptance"
import type { DraftOffer } from "./allocation"
import type { TextLookup } from "./lookup"

export const NO_DRAFT: readonly number[] = []

/** What a request wants of its drafts. */
export interface DraftRange {
  /** The longest draft, in tokens. */
  readonly most: number
  readonly least: number
  readonly isForced: boolean
}

/**
 * Guesses the answer of one sequence. Guesses are compared with what comes whether or not they are drafted, so that it
 * costs nothing to find out that they begin to be right.
 */
export class DraftStream implements DraftOffer {
  readonly #lookup: TextLookup
  readonly #acceptance: Acceptance
  readonly #range: DraftRange
  #seen: number
  room = 0

  /** `seen`: the tokens that were there before the answer. */
  constructor(lookup: TextLookup, acceptance: Acceptance, range: DraftRange, seen: number) {
    this.#lookup = lookup
    this.#acceptance = acceptance
    this.#range = range
    this.#seen = seen
  }

  get least(): number {
    return this.#range.least
  }

  get isForced(): boolean {
    return this.#range.isForced
  }

  /** Tokens of the text that the client expects which came. */
  get predicted(): number {
    return this.#lookup.predicted
  }

  /** Takes in the tokens since the last call. */
  follow(tokens: readonly number[]): void {
    const lookup = this.#lookup
    for (; this.#seen < tokens.length; this.#seen++) {
      const { next } = lookup
      if (next === undefined) continue
      const token = tokens[this.#seen] as number
      this.#acceptance.observe(lookup.matched, token === next)
      lookup.advance(token)
    }
    lookup.renew(tokens)
  }

  /** Has it a guess, of which up to `most` tokens may be checked? */
  offers(most: number): boolean {
    this.room = Math.min(this.#range.most, most)
    return this.room >= Math.max(1, this.#range.least) && this.#lookup.guesses
  }

  rate(at: number): number {
    return this.#acceptance.rate(this.#lookup.matched + at)
  }

  fill(draft: number[], length: number, tokens: readonly number[]): void {
    this.#lookup.fill(draft, length, tokens)
  }
}
