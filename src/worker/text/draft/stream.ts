import type { Acceptance } from "./acceptance"
import type { DraftOffer } from "./allocation"
import type { TextLookup } from "./lookup"
import { LEAST_MATCH } from "./ngram-index"

export const NO_DRAFT: readonly number[] = []

/** What a request wants of its drafts. */
export interface DraftRange {
  /** The longest draft, in tokens. */
  readonly most: number
  readonly least: number
  /** A model's guess ends before a token that it holds to be less likely. */
  readonly leastProbability: number
  readonly isForced: boolean
  /** What guesses; `all`: a text where it goes on for sure, else the model if there is one. */
  readonly by: "texts" | "model" | "all"
}

/** A guess that a text makes at least so surely is not left to a model. */
const SURE = 0.8

/** After so many steps without a draft by the model, a short one is tried. */
const PROBE_STEPS = 32
const PROBE_TOKENS = 2

export interface StreamParts {
  readonly lookup: TextLookup
  readonly ofTexts: Acceptance
  /** Absent: there is no draft model. */
  readonly ofModel: Acceptance | undefined
  readonly range: DraftRange
  /** The tokens that were there before the answer. */
  readonly seen: number
}

/**
 * Guesses the answer of one sequence. Guesses from texts are compared with what comes whether or not they are drafted,
 * so that it costs nothing to find out that they begin to be right.
 */
export class DraftStream implements DraftOffer {
  readonly #lookup: TextLookup
  readonly #ofTexts: Acceptance
  readonly #ofModel: Acceptance | undefined
  readonly #range: DraftRange
  #seen: number
  #stepsWithout = 0
  room = 0
  tokenMs = 0
  /** Is the present draft the model's? */
  byModel = false

  constructor({ lookup, ofTexts, ofModel, range, seen }: StreamParts) {
    this.#lookup = lookup
    this.#ofTexts = ofTexts
    this.#ofModel = ofModel
    this.#range = range
    this.#seen = seen
  }

  get least(): number {
    return this.#isProbe ? 0 : this.#range.least
  }

  get leastProbability(): number {
    return this.#range.leastProbability
  }

  get isForced(): boolean {
    return this.#range.isForced || this.#isProbe
  }

  get #isProbe(): boolean {
    return this.byModel && this.#stepsWithout >= PROBE_STEPS
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
      this.#ofTexts.observe(lookup.matched, token === next)
      lookup.advance(token)
    }
    lookup.renew(tokens)
  }

  /**
   * Has it a guess, of which up to `most` tokens may be checked? `modelMs`: what a token of the model's guess takes;
   * absent: the model cannot guess.
   */
  offers(most: number, modelMs: number | undefined): boolean {
    const { by, least } = this.#range
    this.room = Math.min(this.#range.most, most)
    if (this.room < Math.max(1, least)) return false
    const hasModel = modelMs !== undefined && this.#ofModel !== undefined && by !== "texts"
    const hasText = by !== "model" && this.#lookup.guesses
    this.byModel = hasModel && !(hasText && this.#ofTexts.rate(this.#lookup.matched) >= SURE)
    this.tokenMs = this.byModel ? (modelMs ?? 0) : 0
    if (this.#isProbe && !this.#range.isForced) this.room = Math.min(this.room, PROBE_TOKENS)
    return this.byModel || hasText
  }

  rate(at: number): number {
    return this.byModel
      ? (this.#ofModel?.rate(LEAST_MATCH + at) ?? 0)
      : this.#ofTexts.rate(this.#lookup.matched + at)
  }

  /** That many tokens of its guess are to be checked. */
  chosen(length: number): void {
    if (this.byModel) this.#stepsWithout = length > 0 ? 0 : this.#stepsWithout + 1
  }

  /** How many of a draft's tokens were right. */
  checked(length: number, right: number): void {
    if (!this.byModel) return
    for (let at = 0; at < Math.min(length, right + 1); at++)
      this.#ofModel?.observe(LEAST_MATCH + at, at < right)
  }

  fill(draft: number[], length: number, tokens: readonly number[]): void {
    this.#lookup.fill(draft, length, tokens)
  }
}
