import { ConstraintFailed } from "../../../errors/engine"
import type { UnitPattern } from "../markers"
import type { Constraint } from "./constraint"
import type { TokenPieces } from "./token-pieces"
import { leaveOnly, type TokenRule } from "./token-rule"
import { TriggerSearch, type TriggerState } from "./trigger-search"

/** After so many refusals of what follows the marker, the marker is completed by tokens of its own. */
const MOST_REFUSALS = 32

/** A marker that begins what a grammar is about. */
export interface Trigger {
  readonly marker: UnitPattern
  /** What the grammar reads in place of the marker. */
  readonly tokens: readonly number[]
}

/** The beginnings of what a grammar is about, for any number of answers. */
export class Triggers {
  readonly all: readonly Trigger[]
  readonly search: TriggerSearch

  constructor(triggers: readonly Trigger[]) {
    this.all = triggers
    this.search = new TriggerSearch(triggers.map(({ marker }) => marker))
  }
}

/** An answer is free up to a marker; from there on its grammar holds. */
export class TriggeredRule implements TokenRule {
  readonly #triggers: Triggers
  readonly #pieces: TokenPieces
  readonly #begin: () => Constraint
  #state: TriggerState
  #constraint: Constraint | undefined
  #refusals = 0

  /** `begin`: the grammar at its start. */
  constructor(triggers: Triggers, pieces: TokenPieces, begin: () => Constraint) {
    this.#triggers = triggers
    this.#pieces = pieces
    this.#begin = begin
    this.#state = triggers.search.start
  }

  get forced(): number | undefined {
    return this.#constraint?.forced
  }

  take(token: number, from = 0): boolean {
    if (this.#constraint !== undefined) return this.#constraint.take(token, from)
    const units = this.#pieces.unitsOf(token)
    const { all, search } = this.#triggers
    let state = this.#state
    for (let at = from; at < units.length; at++) {
      state = search.advance(state, units[at] ?? 0)
      const found = state.found === undefined ? undefined : all[state.found]
      if (found !== undefined) return this.#trigger(token, at + 1, units.length, found.tokens)
    }
    this.#state = state
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

  /** Before the marker anything may come; what follows it in the same draft is seen when it comes. */
  fitting(tokens: readonly number[]): number {
    return this.#constraint?.fitting(tokens) ?? tokens.length
  }

  narrow(
    logits: Float32Array,
    banned: ReadonlyMap<number, number>,
    refused: number | undefined,
  ): readonly number[] | void {
    if (this.#constraint !== undefined) return this.#constraint.narrow(logits, banned)
    if (refused !== undefined) logits[refused] = Number.NEGATIVE_INFINITY
    const next = ++this.#refusals > MOST_REFUSALS ? this.#rest()[0] : undefined
    if (next !== undefined) leaveOnly(next, logits, banned)
  }

  /** The tokens that complete the marker of which the answer has the most. */
  #rest(): readonly number[] {
    const { length, towards } = this.#state
    return this.#pieces.tokensOf(this.#triggers.all[towards]?.marker.units.slice(length) ?? []) ?? []
  }

  [Symbol.dispose](): void {
    this.#constraint?.[Symbol.dispose]()
  }
}
