import { ConstraintFailed } from "../../../errors/engine"
import type { NativeGrammar } from "../../../llama/grammar"
import type { Vocabulary } from "../../../llama/vocabulary"
import { TokenPieces } from "./token-pieces"
import type { TokenRule } from "./token-rule"

/**
 * How many of the likeliest tokens are tried against the grammar, before all are. Nearly always one of the first fits,
 * and a check of a whole vocabulary takes up to 100 ms.
 */
const STAGES = [64, 1024] as const

/** Candidates of one check. Between checks the time is looked at: a check cannot be interrupted. */
const CHUNK = 4096

/** A check of all tokens that has found some by then is cut short. */
const ENOUGH_MS = 100

/** The longest that one token of one answer may hold up all others. */
const MOST_MS = 1000

/** Restricts the tokens of one sequence to what its grammar allows. */
export class Constraint implements TokenRule {
  readonly forced = undefined
  #grammar: NativeGrammar
  readonly #vocabulary: Vocabulary
  readonly #pieces: TokenPieces
  readonly #endTokens: readonly number[]
  /** Control tokens that the grammar names; others would match by the text of their names. */
  readonly #named: ReadonlySet<number>

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

  /** The end of a token is taken as the tokens that it consists of. */
  take(token: number, from = 0): boolean {
    if (from === 0) return this.#takeOne(token)
    const rest = this.#pieces.tokensOf(this.#vocabulary.bytes(token).subarray(from))
    return rest !== undefined && this.takeAll(rest)
  }

  /** llama.cpp ends the process for a token that the grammar refuses, so each is checked first. */
  #takeOne(token: number): boolean {
    if (this.#allowed([token]).length === 0) return false
    this.#grammar.accept(token)
    return true
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

  /** Leaves the likeliest allowed tokens in `logits`; all others become -Infinity. */
  narrow(logits: Float32Array, banned: ReadonlyMap<number, number>): void {
    const kept = this.#likeliestAllowed(logits) ?? this.#allowedOf(banned)
    const left = kept.map(([token, logit]) => [token, logit] as const)
    logits.fill(Number.NEGATIVE_INFINITY)
    for (const [token, logit] of left) logits[token] = logit
  }

  #likeliestAllowed(logits: Float32Array): readonly (readonly [token: number, logit: number])[] | undefined {
    for (const count of STAGES) {
      if (count >= logits.length) break
      const found = this.#possible([...new Set([...likeliestOf(logits, count), ...this.#endTokens])], logits)
      if (found.length > 0) return found
    }
    const found = this.#possible([...logits.keys()], logits)
    return found.length > 0 ? found : undefined
  }

  /** The allowed ones of those that the request does not exclude. */
  #possible(
    tokens: readonly number[],
    logits: Float32Array,
  ): readonly (readonly [token: number, logit: number])[] {
    const candidates = tokens.filter((token) => (logits[token] as number) > Number.NEGATIVE_INFINITY)
    return this.#allowed(candidates).map((token) => [token, logits[token] as number])
  }

  #allowedOf(banned: ReadonlyMap<number, number>): readonly (readonly [token: number, logit: number])[] {
    const allowed = this.#allowed([...banned.keys()])
    if (allowed.length === 0) throw new ConstraintFailed("the model has no token that could come next")
    return allowed.map((token) => [token, banned.get(token) ?? 0])
  }

  #allowed(tokens: readonly number[]): readonly number[] {
    const visible = tokens.filter((token) => !this.#isHidden(token))
    if (visible.length <= CHUNK) return this.#grammar.allowed(visible)
    const allowed: number[] = []
    const startedAt = performance.now()
    for (let from = 0; from < visible.length; from += CHUNK) {
      allowed.push(...this.#grammar.allowed(visible.slice(from, from + CHUNK)))
      const elapsed = performance.now() - startedAt
      if (elapsed > ENOUGH_MS && allowed.length > 0) break
      if (elapsed > MOST_MS) throw new ConstraintFailed("it is too complex to be checked at every token")
    }
    return allowed
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

/** The tokens with the largest logits, in no particular order; ties at the end are cut. */
export function likeliestOf(logits: Float32Array, count: number): Int32Array {
  // A heap of the largest so far, the least of them first.
  const heap = new Int32Array(count)
  let size = 0
  const logitAt = (place: number): number => logits[heap[place] as number] as number
  const swap = (a: number, b: number): void => {
    const token = heap[a] as number
    heap[a] = heap[b] as number
    heap[b] = token
  }
  for (let token = 0; token < logits.length; token++) {
    if (size < count) {
      heap[size] = token
      let place = size++
      while (place > 0 && logitAt((place - 1) >> 1) > logitAt(place)) {
        swap(place, (place - 1) >> 1)
        place = (place - 1) >> 1
      }
      continue
    }
    if ((logits[token] as number) <= logitAt(0)) continue
    heap[0] = token
    for (let place = 0; ;) {
      const left = 2 * place + 1
      if (left >= size) break
      const least = left + 1 < size && logitAt(left + 1) < logitAt(left) ? left + 1 : left
      if (logitAt(least) >= logitAt(place)) break
      swap(least, place)
      place = least
    }
  }
  return heap.subarray(0, size)
}
