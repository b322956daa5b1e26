import { ConstraintFailed } from "../../../errors/engine"
import { advance, type UnitPattern } from "../markers"
import type { Constraint } from "./constraint"
import type { TokenPieces } from "./token-pieces"
import { leaveOnly, type TokenRule } from "./token-rule"

/** After so many refusals of what follows the marker, the marker is completed by tokens of its own. */
const MOST_REFUSALS = 32

/** A marker that begins what a grammar is about. */
export interface Trigger {
  readonly marker: UnitPattern
  /** What the grammar reads in place of the marker. */
  readonly tokens: readonly number[]
}

/** An answer is free up to a marker; from there on its grammar holds. */
export class TriggeredRule implements TokenRule {
  readonly #triggers: readonly Trigger[]
  readonly #pieces: TokenPieces
  readonly #begin: () => Constraint
  /** How much of each marker the answer ends with. */
  #matched: readonly number[]
  #constraint: Constraint | undefined
  #refusals = 0

  /** `begin`: the grammar at its start. */
  constructor(triggers: readonly Trigger[], pieces: TokenPieces, begin: () => Constraint) {
    this.#triggers = triggers
    this.#pieces = pieces
    this.#begin = begin
    this.#matched = triggers.map(() => 0)
  }

  get forced(): number | undefined {
    return this.#constraint?.forced
  }

  take(token: number, from = 0): boolean {
    if (this.#constraint !== undefined) return this.#constraint.take(token, from)
    const units = this.#pieces.unitsOf(token)
    const matched = [...this.#matched]
    for (let at = from; at < units.length; at++) {
      for (const [index, { marker, tokens }] of this.#triggers.entries()) {
        const length = advance(marker, matched[index] ?? 0, units[at] ?? 0)
        if (length === marker.units.length) return this.#trigger(token, at + 1, units.length, tokens)
        matched[index] = length
      }
    }
    this.#matched = matched
    this.#refusals = 0
    return true
  }

  /** The marker is complete at `end` of the token's units; what is left of them is up to the grammar. */
  #trigger(token: number, end: number, length: number, marker: readonly number[]): boolean {
    const constraint = this.#begin()
    if (!constraint.takeAll(marker)) {
      constraint[Symbol.dispose]()
      throw new ConstraintFailed("the grammar does not begin with its marker")
    }
    if (end < length && !constraint.take(token, end)) {
      constraint[Symbol.dispose]()
      return false
    }
    this.#constraint = constraint
    return true
  }

  narrow(logits: Float32Array, banned: ReadonlyMap<number, number>, refused: number | undefined): void {
    if (this.#constraint !== undefined) return this.#constraint.narrow(logits, banned)
    if (refused !== undefined) logits[refused] = Number.NEGATIVE_INFINITY
    const next = ++this.#refusals > MOST_REFUSALS ? this.#rest()[0] : undefined
    if (next !== undefined) leaveOnly(next, logits, banned)
  }

  /** The tokens that complete the marker of which the answer has the most. */
  #rest(): readonly number[] {
    const most = Math.max(...this.#matched)
    const marker = this.#triggers[this.#matched.indexOf(most)]?.marker
    return this.#pieces.tokensOf(marker?.units.slice(most) ?? []) ?? []
  }

  [Symbol.dispose](): void {
    this.#constraint?.[Symbol.dispose]()
  }
}
