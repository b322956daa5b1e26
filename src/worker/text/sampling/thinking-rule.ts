import { advance, CONTROL_UNITS, type UnitPattern } from "../markers"
import type { TokenPieces } from "./token-pieces"
import { leaveOnly, type TokenRule } from "./token-rule"

/** Blanks between the thinking and the answer that no grammar is asked about, in bytes. */
const MOST_BLANKS = 8

/** How many more tokens a character may take that is not whole when the budget is used up. */
const MOST_OVERRUN = 4

/** After so many refusals of what follows the thinking, its end is written by tokens of its own. */
const MOST_REFUSALS = 32

export interface ThinkingParts {
  readonly start: UnitPattern
  readonly end: UnitPattern
  /** The prompt has begun the thinking. */
  readonly isOpen: boolean
  /** The most tokens of thinking; absent: any number. */
  readonly budget?: number
  /** The answer cannot end within the thinking: something must follow it. */
  readonly mustAnswer: boolean
  readonly pieces: TokenPieces
  /** The rule of the answer, at its start. */
  readonly answer: () => TokenRule
}

/**
 * `opening`: thinking may begin, or the answer. `thinking`: anything, up to the end marker. `gap`: blanks before the
 * answer.
 */
type Phase = "opening" | "thinking" | "gap" | "answer"

/** An answer with thinking before it, which is free and may have a budget. */
export class ThinkingRule implements TokenRule {
  readonly #parts: ThinkingParts
  #phase: Phase
  /** How much of the start or end marker the answer ends with. */
  #matched = 0
  /** While it is open whether the answer begins with thinking: absent if it must. */
  #answer: TokenRule | undefined
  /** Blanks before the answer, in bytes. */
  #blanks = 0
  /** Tokens of thinking. */
  #count = 0
  /** Bytes that the last character still lacks. */
  #missing = 0
  #refusals = 0
  /** The tokens that must come next. */
  #forced: readonly number[] = []

  constructor(parts: ThinkingParts) {
    this.#parts = parts
    this.#phase = parts.isOpen ? "thinking" : "opening"
    if (!parts.isOpen) this.#answer = parts.answer()
    else if (parts.budget === 0) this.#endThinking()
  }

  get forced(): number | undefined {
    return this.#phase === "thinking" ? this.#forced[0] : this.#answer?.forced
  }

  take(token: number, from = 0): boolean {
    const isTaken = this.#take(token, from)
    if (isTaken) this.#refusals = 0
    return isTaken
  }

  #take(token: number, from: number): boolean {
    switch (this.#phase) {
      case "opening":
        return this.#open(token, from)
      case "thinking":
        return this.#think(token, from)
      case "gap":
        return this.#reply(token, from)
      case "answer":
        return this.#answer?.take(token, from) ?? false
    }
  }

  #open(token: number, from: number): boolean {
    const { start, pieces } = this.#parts
    const units = pieces.unitsOf(token)
    let matched = this.#matched
    for (let at = from; at < units.length; at++) {
      const unit = units[at] ?? 0
      if (matched === 0 && isBlank(unit)) continue
      if (unit !== start.units[matched]) return this.#answer !== undefined && this.#reply(token, from)
      if (++matched < start.units.length) continue
      return this.#begin(token, at + 1, units.length)
    }
    if (matched === 0) return this.#follow(token, from) !== undefined
    if (this.#answer !== undefined && this.#follow(token, from) === undefined) this.#drop()
    this.#matched = matched
    return true
  }

  /** The thinking begins; the rest of the token belongs to it. */
  #begin(token: number, end: number, length: number): boolean {
    const matched = this.#matched
    this.#phase = "thinking"
    this.#matched = 0
    if (end < length && !this.#think(token, end)) {
      this.#phase = "opening"
      this.#matched = matched
      return false
    }
    // Where the same token has ended it, the answer is a new one already.
    if (this.#phase === "thinking") this.#drop()
    if (this.#parts.budget === 0 && this.#phase === "thinking") this.#endThinking()
    return true
  }

  #think(token: number, from: number): boolean {
    const { end, pieces, budget, mustAnswer } = this.#parts
    if (mustAnswer && pieces.endsGeneration(token)) {
      this.#endThinking()
      return false
    }
    const units = pieces.unitsOf(token)
    let matched = this.#matched
    let missing = this.#missing
    for (let at = from; at < units.length; at++) {
      const unit = units[at] ?? 0
      matched = advance(end, matched, unit)
      missing = missingAfter(missing, unit)
      if (matched === end.units.length) return this.#finishThinking(token, at + 1, units.length)
    }
    this.#matched = matched
    this.#missing = missing
    this.#count++
    if (this.#forced.length > 0) this.#forced = this.#forced.slice(1)
    else if (budget !== undefined && this.#isUsedUp(budget)) this.#endThinking()
    return true
  }

  #isUsedUp(budget: number): boolean {
    return this.#count >= budget && (this.#missing === 0 || this.#count >= budget + MOST_OVERRUN)
  }

  #finishThinking(token: number, end: number, length: number): boolean {
    const before = this.#answer
    this.#answer = this.#parts.answer()
    this.#blanks = 0
    if (end < length && !this.#reply(token, end)) {
      this.#drop()
      this.#answer = before
      return false
    }
    before?.[Symbol.dispose]()
    if (this.#phase === "thinking") this.#phase = "gap"
    this.#forced = []
    return true
  }

  /** Goes on to the answer, if it may begin with this token. */
  #reply(token: number, from: number): boolean {
    const next = this.#follow(token, from)
    if (next !== undefined) this.#phase = next
    return next !== undefined
  }

  /** Goes on in the answer; blanks before it are no part of it. Undefined if the answer cannot go on like this. */
  #follow(token: number, from: number): "gap" | "answer" | undefined {
    const units = this.#parts.pieces.unitsOf(token)
    const hasBegun = this.#phase === "opening" && this.#matched > 0
    let at = from
    if (!hasBegun) while (at < units.length && isBlank(units[at] ?? 0)) at++
    if (this.#blanks + at - from > MOST_BLANKS) at = from
    if (at > from && at === units.length) {
      this.#blanks += at - from
      return "gap"
    }
    return this.#answer?.take(token, at) === true ? "answer" : undefined
  }

  /** From now on its end marker comes, token by token. */
  #endThinking(): void {
    const { end, pieces } = this.#parts
    this.#forced = pieces.tokensOf(end.units.slice(this.#matched)) ?? []
  }

  /** What follows the thinking in the same draft is seen when it comes. */
  fitting(tokens: readonly number[]): number {
    return this.#phase === "answer" && this.#answer !== undefined
      ? this.#answer.fitting(tokens)
      : tokens.length
  }

  narrow(
    logits: Float32Array,
    banned: ReadonlyMap<number, number>,
    refused: number | undefined,
  ): readonly number[] | void {
    const { start, end, pieces } = this.#parts
    if (this.#phase === "thinking") {
      if (refused !== undefined) logits[refused] = Number.NEGATIVE_INFINITY
      if (++this.#refusals > MOST_REFUSALS) this.#leaveRest(end, logits, banned, pieces)
    } else if (this.#answer === undefined) this.#leaveRest(start, logits, banned, pieces)
    else return this.#answer.narrow(logits, banned, refused)
  }

  /** Only the marker can go on. */
  #leaveRest(
    { units }: UnitPattern,
    logits: Float32Array,
    banned: ReadonlyMap<number, number>,
    pieces: TokenPieces,
  ): void {
    const [next] = pieces.tokensOf(units.slice(this.#matched)) ?? []
    if (next !== undefined) leaveOnly(next, logits, banned)
  }

  #drop(): void {
    this.#answer?.[Symbol.dispose]()
    this.#answer = undefined
  }

  [Symbol.dispose](): void {
    this.#drop()
  }
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x09 || unit === 0x0d
}

/** Bytes that the last character of a UTF-8 text still lacks. */
function missingAfter(missing: number, unit: number): number {
  if (unit >= CONTROL_UNITS) return 0
  if ((unit & 0xc0) === 0x80) return Math.max(0, missing - 1)
  return unit >= 0xf0 ? 3 : unit >= 0xe0 ? 2 : unit >= 0xc0 ? 1 : 0
}
