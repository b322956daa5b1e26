import { type BatchCost, MEASURED_BATCHES } from "../../../domain/batch-cost"
import { Batch } from "../../../llama/batch"
import type { Runtime } from "../runtime"

/** How often each size is computed, at least and at most. */
const LEAST_ROUNDS = 3
const MOST_ROUNDS = 6

/** How far the two shortest times of a size may differ: more is the work of something else on the machine. */
const MOST_DIFFERENCE = 1.25
/** Differences of so many ms are no sign of that. */
const SMALL_MS = 0.2

/** After so many attempts that were disturbed, no more are made. */
const MOST_ATTEMPTS = 5

/** Ordinary tokens, all different, since some models treat repetitions apart. */
const FIRST_TOKEN = 16

/** Measures what batches cost while nothing runs: one decode at a time, so that a request waits for one at most. */
export class BatchTiming {
  readonly #runtime: Pick<Runtime, "context" | "cache">
  readonly #vocabularySize: number
  readonly #now: () => number
  readonly #done: (costs: readonly BatchCost[]) => void
  readonly #batch = new Batch(Math.max(...MEASURED_BATCHES), 256)
  /** The times of each size, ascending. */
  #times: number[][] = []
  #steps = 0
  #attempts = 0
  #isDone = false

  constructor(
    runtime: Pick<Runtime, "context" | "cache">,
    vocabularySize: number,
    now: () => number,
    done: (costs: readonly BatchCost[]) => void,
  ) {
    this.#runtime = runtime
    this.#vocabularySize = vocabularySize
    this.#now = now
    this.#done = done
  }

  /** Is it still to be measured? */
  get isOpen(): boolean {
    return !this.#isDone && this.#attempts < MOST_ATTEMPTS
  }

  /** Starts again. */
  begin(): void {
    this.#times = MEASURED_BATCHES.map(() => [])
    this.#steps = 0
  }

  /** Computes one batch. Returns false when there is no more to do for now. */
  next(): boolean {
    // The sizes take turns, as they do when drafts are checked now and then.
    const place = this.#steps % MEASURED_BATCHES.length
    const ms = this.#time(MEASURED_BATCHES[place] as number)
    if (ms === undefined) return false
    const times = this.#times[place] as number[]
    times.push(ms)
    times.sort((a, b) => a - b)
    if (++this.#steps < LEAST_ROUNDS * MEASURED_BATCHES.length || place < MEASURED_BATCHES.length - 1)
      return true
    if (this.#times.every(areAlike)) {
      this.#isDone = true
      this.#done(MEASURED_BATCHES.map((tokens, index) => ({ tokens, ms: this.#times[index]?.[0] ?? 0 })))
      return false
    }
    if (this.#steps < MOST_ROUNDS * MEASURED_BATCHES.length) return true
    this.#attempts++
    return false
  }

  /** Undefined where there is no room for it. */
  #time(tokens: number): number | undefined {
    const { context, cache } = this.#runtime
    const slot = cache.usable.find(({ busy, length }) => !busy && length === 0)
    if (slot === undefined) return undefined
    this.#batch.clear()
    for (let at = 0; at < tokens; at++)
      this.#batch.add((FIRST_TOKEN + at) % this.#vocabularySize, at, slot.id, true)
    const startedAt = this.#now()
    const isComputed = context.decode(this.#batch) === "done"
    // Reading the logits waits for them.
    if (isComputed) context.logits(tokens - 1)
    const ms = this.#now() - startedAt
    context.clear(slot.id)
    return isComputed ? ms : undefined
  }
}

function areAlike([first = 0, second = Number.POSITIVE_INFINITY]: readonly number[]): boolean {
  return second <= first * MOST_DIFFERENCE + SMALL_MS
}
