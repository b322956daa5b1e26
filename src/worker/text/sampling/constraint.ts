import { ConstraintFailed } from "../../../errors/engine"
import type { NativeGrammar } from "../../../llama/grammar"
import type { Vocabulary } from "../../../llama/vocabulary"
import { byLikelihood, LikeliestTokens } from "./likeliest"
import { type ByteSet, TokenIndex } from "./token-index"
import { TokenPieces } from "./token-pieces"
import type { TokenRule } from "./token-rule"

/**
 * How many of the likeliest tokens are tried against the grammar first: nearly always one of them fits, and a check of a
 * whole vocabulary would take up to 100 ms. After that only those are tried whose first bytes may come.
 */
const FIRST_STAGE = 64

/** Candidates of each stage after that, the likeliest first: the first stage that finds any is the last. */
const STAGES = [1024, 4096] as const

/** Candidates of one call of llama.cpp, which cannot be interrupted: between them the time is looked at. */
const CHUNK = 256

/** Bytes that begin so many tokens are followed to the second byte. */
const WORTH_A_LOOK = 512

/** The longest that one token of one answer may hold up all others. */
const MOST_MS = 1000

/** A draft is checked for so long: it is to save time. */
const MOST_FITTING_MS = 2

/** A token is slow to accept where there are very many ways to read the answer, and with each token there are more. */
const SLOW_MS = 250

/** What a constraint has cost so far. */
export interface ConstraintWork {
  /** Calls of llama.cpp's grammar, apart from those that accept a token. */
  readonly checks: number
  /** Tokens that they looked at. */
  readonly candidates: number
}

/** Restricts the tokens of one sequence to what its grammar allows. */
export class Constraint implements TokenRule {
  readonly forced = undefined
  #grammar: NativeGrammar
  readonly #vocabulary: Vocabulary
  readonly #pieces: TokenPieces
  readonly #endTokens: readonly number[]
  /** Control tokens that the grammar names; others would match by the text of their names. */
  readonly #named: ReadonlySet<number>
  /** Used for one call at a time, by all answers. */
  static readonly #likeliest = new LikeliestTokens()
  #isSlow = false
  #checks = 0
  #candidates = 0

  /** Takes over `grammar`. */
  constructor(
    grammar: NativeGrammar,
    vocabulary: Vocabulary,
    endTokens: readonly number[],
    named: ReadonlySet<number>,
  ) {
    this.#grammar = grammar
    this.#vocabulary = vocabulary
    this.#pieces = new TokenPieces(vocabulary)
    this.#endTokens = endTokens
    this.#named = named
  }

  get work(): ConstraintWork {
    return { checks: this.#checks, candidates: this.#candidates }
  }

  /** The end of a token is taken as the tokens that it consists of. */
  take(token: number, from = 0): boolean {
    if (from === 0) return this.#takeOne(token)
    const rest = this.#pieces.tokensOf(this.#vocabulary.bytes(token).subarray(from))
    return rest !== undefined && this.takeAll(rest)
  }

  /** llama.cpp ends the process for a token that the grammar refuses, so each is checked first. */
  #takeOne(token: number): boolean {
    if (this.#isHidden(token)) return false
    this.#count(1)
    const startedAt = performance.now()
    if (!this.#grammar.allows(token)) return false
    this.#grammar.accept(token)
    this.#checkTime(performance.now() - startedAt)
    return true
  }

  /** Once may be chance: the machine may have done something else. */
  #checkTime(elapsedMs: number): void {
    const wasSlow = this.#isSlow
    this.#isSlow = elapsedMs > SLOW_MS
    if (elapsedMs > MOST_MS || (wasSlow && this.#isSlow)) throw tooComplex()
  }

  /** Goes on with several tokens if all may come next; otherwise changes nothing. */
  takeAll(tokens: readonly number[]): boolean {
    const before = this.#grammar
    this.#grammar = before.clone()
    const isTaken = tokens.every((token) => this.#takeOne(token))
    const [left, kept] = isTaken ? [before, this.#grammar] : [this.#grammar, before]
    left[Symbol.dispose]()
    this.#grammar = kept
    return isTaken
  }

  /** On a copy; a draft that takes long to check is cut. */
  fitting(tokens: readonly number[]): number {
    using grammar = this.#grammar.clone()
    const startedAt = performance.now()
    for (const [place, token] of tokens.entries()) {
      if (this.#isHidden(token) || performance.now() - startedAt > MOST_FITTING_MS) return place
      this.#count(1)
      if (!grammar.allows(token)) return place
      if (this.#vocabulary.endsGeneration(token)) return place + 1
      grammar.accept(token)
    }
    return tokens.length
  }

  /**
   * The likeliest allowed tokens. `banned`: tokens that the request excludes, with their logits; they are used where the
   * grammar allows nothing else, and then have these logits again.
   * @throws ConstraintFailed if no token at all is allowed
   */
  narrow(logits: Float32Array, banned: ReadonlyMap<number, number>): readonly number[] {
    const kept = this.#likeliestAllowed(logits)
    if (kept !== undefined) return kept
    const allowed = this.#allowedOf(banned)
    for (const token of allowed)
      if (logits[token] === Number.NEGATIVE_INFINITY) logits[token] = banned.get(token) ?? 0
    return allowed
  }

  #likeliestAllowed(logits: Float32Array): readonly number[] | undefined {
    const ends = this.#endTokens.filter((token) => (logits[token] as number) > Number.NEGATIVE_INFINITY)
    const first = Constraint.#likeliest.find(logits, FIRST_STAGE)
    const found = this.#allowed([...new Set([...first, ...ends])])
    return found.length > 0 ? found : this.#firstAllowed(byLikelihood(logits, this.#beginnings()))
  }

  /**
   * Tokens whose first byte may come next, and the second one after it: a token is refused where the token of its first byte
   * alone is. Of a large vocabulary hardly any are left.
   */
  #beginnings(): readonly number[] {
    const index = TokenIndex.of(this.#vocabulary)
    const firsts = this.#allowedBytes(this.#grammar, index)
    const seconds: ByteSet[] = []
    for (let byte = 0; byte < firsts.length; byte++) {
      const single = index.single(byte)
      if (firsts[byte] === 0 || single < 0 || index.count(byte) < WORTH_A_LOOK) continue
      using after = this.#grammar.clone()
      after.accept(single)
      seconds[byte] = this.#allowedBytes(after, index)
    }
    return index.select(firsts, seconds)
  }

  /** The bytes that may come next, and those that are no token alone. */
  #allowedBytes(grammar: NativeGrammar, index: TokenIndex): ByteSet {
    const { singles } = index
    this.#count(singles.length)
    const left = grammar.allowed(singles)
    const bytes = new Uint8Array(256)
    let at = 0
    for (let byte = 0; byte < bytes.length; byte++) {
      const single = index.single(byte)
      const isAllowed = single < 0 || single === left[at]
      if (isAllowed) bytes[byte] = 1
      if (isAllowed && single >= 0) at++
    }
    return bytes
  }

  #allowedOf(banned: ReadonlyMap<number, number>): readonly number[] {
    const allowed = this.#firstAllowed([...banned.keys()])
    if (allowed === undefined) throw new ConstraintFailed("the model has no token that could come next")
    return allowed
  }

  /** The allowed ones of the first stage that has any. */
  #firstAllowed(tokens: readonly number[]): readonly number[] | undefined {
    const startedAt = performance.now()
    let size: number = STAGES[0]
    for (let from = 0; from < tokens.length; size = STAGES[1]) {
      const allowed = this.#allowed(tokens.slice(from, from + size), startedAt)
      if (allowed.length > 0) return allowed
      from += size
    }
    return undefined
  }

  #allowed(tokens: readonly number[], startedAt = performance.now()): readonly number[] {
    const visible = tokens.filter((token) => !this.#isHidden(token))
    const allowed: number[] = []
    for (let from = 0; from < visible.length; from += CHUNK) {
      const chunk = visible.slice(from, from + CHUNK)
      this.#count(chunk.length)
      allowed.push(...this.#grammar.allowed(chunk))
      if (performance.now() - startedAt > MOST_MS) throw tooComplex()
    }
    return allowed
  }

  #count(candidates: number): void {
    if (candidates === 0) return
    this.#checks++
    this.#candidates += candidates
  }

  /** llama.cpp would match it by the text of its name, within any text. */
  #isHidden(token: number): boolean {
    return (
      this.#vocabulary.isControl(token) && !this.#vocabulary.endsGeneration(token) && !this.#named.has(token)
    )
  }

  [Symbol.dispose](): void {
    this.#grammar[Symbol.dispose]()
  }
}

function tooComplex(): ConstraintFailed {
  return new ConstraintFailed("it is too complex to be checked at every token")
}
