/** What the turns of adapter sets depend on. */
export interface AdaptedSequence {
  /** Sequences with different keys cannot share a step. */
  readonly adapterKey: string
}

/**
 * How long a set's turn is, in steps: a change costs as much as half a step of a small model, because llama.cpp builds
 * its graphs anew.
 */
export const TURN_STEPS = 6

/** A step that reads a prompt is as long as several: it counts as one more for each of so many tokens. */
const TOKENS_OF_A_STEP = 32

/**
 * Chooses whose adapters the next step is computed with. Sets take turns in the order in which they began to wait, so
 * that with n of them none waits longer than (n - 1) turns.
 */
export class AdapterTurns {
  #current = ""
  #used = 0
  /** The sets that wait, the one that has waited longest first. */
  #waiting: string[] = []

  /** Those of the sequences that may share the next step: all that have the same adapters as the one whose turn it is. */
  choose<T extends AdaptedSequence>(sequences: readonly T[]): readonly T[] {
    const [first] = sequences
    if (first === undefined) return sequences
    if (sequences.every(({ adapterKey }) => adapterKey === first.adapterKey)) {
      if (this.#waiting.length > 0 || this.#current !== first.adapterKey) this.#begin(first.adapterKey, [])
      return sequences
    }
    const present = new Set(sequences.map(({ adapterKey }) => adapterKey))
    const waiting = this.#waiting.filter((key) => present.has(key) && key !== this.#current)
    for (const key of present) if (key !== this.#current && !waiting.includes(key)) waiting.push(key)
    const isOver = this.#used >= TURN_STEPS
    const [next = this.#current] = waiting
    if (!present.has(this.#current)) this.#begin(next, waiting.slice(1))
    else if (isOver) this.#begin(next, [...waiting.slice(1), this.#current])
    else this.#waiting = waiting
    return sequences.filter(({ adapterKey }) => adapterKey === this.#current)
  }

  /** A step was computed that read so many prompt tokens. */
  used(promptTokens: number): void {
    this.#used += 1 + promptTokens / TOKENS_OF_A_STEP
    // Where no other set waits there is no turn to end.
    if (this.#waiting.length === 0) this.#used = 0
  }

  #begin(key: string, waiting: string[]): void {
    this.#current = key
    this.#waiting = waiting
    this.#used = 0
  }
}
