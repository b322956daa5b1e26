import { ConstraintFailed } from "../../../errors/engine"
import type { NativeGrammar } from "../../../llama/grammar"
import type { Vocabulary } from "../../../llama/vocabulary"
import { TokenIndex } from "./token-index"
import { TokenPieces } from "./token-pieces"
import type { TokenRule } from "./token-rule"

/**
 * How many of the likeliest tokens are tried against the grammar before all are. Nearly always one of the first fits,
 * and a check of a whole vocabulary would take up to 100 ms. After the first stage only those are tried whose first bytes
 * may come.
 */
const STAGES = [64, 1024] as const

/** Candidates of one stage after that, the likeliest first: the first stage that finds any is the last. */
const STAGE = 4096

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
   * Leaves the likeliest allowed tokens in `logits`; all others become -Infinity. `banned`: tokens that the request
   * excludes, with their logits; they are used where the grammar allows nothing else.
   * @throws ConstraintFailed if no token at all is allowed
   */
  narrow(logits: Float32Array, banned: ReadonlyMap<number, number>): void {
    const kept = this.#likeliestAllowed(logits) ?? this.#allowedOf(banned)
    const values = kept.map((token) => {
      const logit = logits[token] as number
      return logit > Number.NEGATIVE_INFINITY ? logit : (banned.get(token) ?? 0)
    })
    logits.fill(Number.NEGATIVE_INFINITY)
    for (const [place, token] of kept.entries()) logits[token] = values[place] as number
  }

  #likeliestAllowed(logits: Float32Array): readonly number[] | undefined {
    const [few, many] = STAGES
    const ends = this.#endTokens.filter((token) => (logits[token] as number) > Number.NEGATIVE_INFINITY)
    const found = this.#allowed([...new Set([...likeliestOf(logits, few, ANY), ...ends])])
    if (found.length > 0) return found
    const mayBegin = this.#beginnings()
    const more = this.#allowed(Array.from(likeliestOf(logits, many, mayBegin)))
    if (more.length > 0) return more
    return this.#firstAllowed(Array.from(byLikelihood(logits, mayBegin)))
  }

  /**
   * Tells tokens whose first byte may come next, and second one after it: a token is refused where the token of its first
   * byte alone is. Of a large vocabulary hardly any are left.
   */
  #beginnings(): (token: number) => boolean {
    const index = TokenIndex.of(this.#vocabulary)
    const firsts = this.#allowedBytes(this.#grammar, index)
    const seconds = new Map<number, Uint8Array>()
    for (let byte = 0; byte < firsts.length; byte++) {
      const single = index.singles[byte] as number
      if (firsts[byte] === 0 || single < 0 || (index.counts[byte] as number) < WORTH_A_LOOK) continue
      using after = this.#grammar.clone()
      after.accept(single)
      seconds.set(byte, this.#allowedBytes(after, index))
    }
    return (token) => {
      const [first, second] = [index.first[token] as number, index.second[token] as number]
      return first < 0 || (firsts[first] === 1 && (second < 0 || seconds.get(first)?.[second] !== 0))
    }
  }

  /** 1 for each byte that may come next, or whose token there is not. */
  #allowedBytes(grammar: NativeGrammar, { singles }: TokenIndex): Uint8Array {
    const tokens = Array.from(singles).filter((token) => token >= 0)
    this.#count(tokens.length)
    const allowed = new Set(grammar.allowed(tokens))
    return Uint8Array.from(singles, (token) => (token < 0 || allowed.has(token) ? 1 : 0))
  }

  #allowedOf(banned: ReadonlyMap<number, number>): readonly number[] {
    const allowed = this.#firstAllowed([...banned.keys()])
    if (allowed === undefined) throw new ConstraintFailed("the model has no token that could come next")
    return allowed
  }

  /** The allowed ones of the first stage that has any. */
  #firstAllowed(tokens: readonly number[]): readonly number[] | undefined {
    const startedAt = performance.now()
    for (let from = 0; from < tokens.length; from += STAGE) {
      const allowed = this.#allowed(tokens.slice(from, from + STAGE), startedAt)
      if (allowed.length > 0) return allowed
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

type Wants = (token: number) => boolean

const ANY: Wants = () => true

/** Of the tokens that are wanted and not ruled out, those with the largest logits, in no particular order; ties at the end are cut. */
export function likeliestOf(logits: Float32Array, count: number, wants: Wants): Int32Array {
  // A heap of the largest so far, the least of them first.
  const heap = new Int32Array(count)
  const values = new Float32Array(count)
  let size = 0
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token] as number
    if (logit === Number.NEGATIVE_INFINITY || (size === count && logit <= (values[0] as number))) continue
    if (!wants(token)) continue
    let place = size < count ? size++ : 0
    if (place > 0) {
      for (; place > 0; place = (place - 1) >> 1) {
        const above = (place - 1) >> 1
        if ((values[above] as number) <= logit) break
        values[place] = values[above] as number
        heap[place] = heap[above] as number
      }
    } else
      for (;;) {
        let least = 2 * place + 1
        if (least >= size) break
        if (least + 1 < size && (values[least + 1] as number) < (values[least] as number)) least++
        if ((values[least] as number) >= logit) break
        values[place] = values[least] as number
        heap[place] = heap[least] as number
        place = least
      }
    values[place] = logit
    heap[place] = token
  }
  return heap.subarray(0, size)
}

/** Steps between the least and the largest logit that are told apart. */
const STEPS = 1024

/** All tokens that are wanted and not ruled out, roughly the likeliest first: by steps, which takes no sort. */
export function byLikelihood(logits: Float32Array, wants: Wants): Int32Array {
  let least = Number.POSITIVE_INFINITY
  let largest = Number.NEGATIVE_INFINITY
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token] as number
    if (logit > largest) largest = logit
    if (logit < least && logit > Number.NEGATIVE_INFINITY) least = logit
  }
  const scale = largest > least ? (STEPS - 1) / (largest - least) : 0
  const stepOf = (logit: number): number => Math.floor((largest - logit) * scale)
  const wanted: number[] = []
  // Where each step begins.
  const starts = new Int32Array(STEPS + 1)
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token] as number
    if (logit === Number.NEGATIVE_INFINITY || !wants(token)) continue
    wanted.push(token)
    starts[stepOf(logit) + 1]!++
  }
  for (let step = 0; step < STEPS; step++) starts[step + 1]! += starts[step] as number
  const ordered = new Int32Array(wanted.length)
  for (const token of wanted) ordered[starts[stepOf(logits[token] as number)]!++] = token
  return ordered
}
