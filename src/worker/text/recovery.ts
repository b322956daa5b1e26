import { DecodeFailed, NotNumbers } from "../../errors/engine"
import { ContextLengthExceeded } from "../../errors/request"
import type { XllmError } from "../../errors/base"
import { leastRecentlyUsedPrefix } from "./cache/slots"
import type { OpenRequests } from "./open-requests"
import type { MutableCounters } from "./output/step-outbox"
import type { PoolGrowth } from "./growth/pool-growth"
import type { Runtime } from "./runtime"
import type { Work } from "./scheduler"
import type { Sequence } from "./sequence"

/** A full pool is tried again after this, in ms. */
const RETRY_MS = 250

/** A conversation that finds no memory for its next token fails after this, in ms. */
const STARVED_MS = 30_000

export interface RecoveryParts {
  readonly runtime: Runtime
  readonly requests: OpenRequests
  readonly counters: MutableCounters
  readonly growth: PoolGrowth
  /** The error of a conversation that there is no memory for. */
  readonly outOfMemory: (tokens: number) => XllmError
  readonly now: () => number
  /** The maximum length of a conversation, in tokens. */
  readonly contextLength: number
}

/** What is done after a step that could not be computed. Each remedy makes the next step one that can be. */
export class Recovery {
  readonly #runtime: Runtime
  readonly #requests: OpenRequests
  readonly #counters: MutableCounters
  readonly #growth: PoolGrowth
  readonly #outOfMemory: RecoveryParts["outOfMemory"]
  readonly #now: () => number
  readonly #contextLength: number
  #full = false
  /** Until then no step is tried, because the pool is full; ms. */
  #waitsUntil = Number.NEGATIVE_INFINITY

  constructor({ runtime, requests, counters, growth, outOfMemory, now, contextLength }: RecoveryParts) {
    this.#runtime = runtime
    this.#requests = requests
    this.#counters = counters
    this.#growth = growth
    this.#outOfMemory = outOfMemory
    this.#now = now
    this.#contextLength = contextLength
  }

  /** Is the pool full, and was that found so recently that a step need not be tried? */
  get waits(): boolean {
    return this.#now() < this.#waitsUntil
  }

  /** There may be room again. */
  resume(): void {
    this.#waitsUntil = Number.NEGATIVE_INFINITY
  }

  /** Fails a prompt that is longer than the pool, which cannot grow. */
  refuse(sequence: Sequence): void {
    this.#requests.fail(sequence, this.#outOfMemory(sequence.length))
  }

  /**
   * There is no room for the next token of a sequence, and no other remedy: it waits for memory, but not for ever.
   */
  starve(sequence: Sequence): void {
    const now = this.#now()
    sequence.starvedAt ??= now
    if (!this.#growth.underway && now - sequence.starvedAt >= STARVED_MS) this.refuse(sequence)
  }

  /**
   * A sequence was just paused, and no step computed since: nothing is admitted until the others advance, or
   * its cells would be taken at once.
   */
  get full(): boolean {
    return this.#full
  }

  /** A step was computed. */
  advanced(): void {
    this.#full = false
  }

  /**
   * The pool is full, and nothing was computed. Waits for a larger one, if there will be one; else drops idle
   * prefixes first, then pauses the youngest stream.
   */
  makeSpace(work: readonly Work<Sequence>[]): void {
    if (this.#growth.underway) {
      this.#waitsUntil = this.#now() + RETRY_MS
      return
    }
    const { cache } = this.#runtime
    const { running } = this.#requests
    const prefix = leastRecentlyUsedPrefix(cache.slots)
    if (prefix !== undefined) {
      this.#runtime.keeper?.leaves(prefix)
      return cache.clear(prefix)
    }
    const youngest = running[running.length - 1]
    if (youngest !== undefined && running.length > 1) return this.#pause(youngest)
    if (this.#growth.possible) this.#waitsUntil = this.#now() + RETRY_MS
    for (const { sequence } of work) {
      if (this.#growth.possible) this.starve(sequence)
      else this.#requests.fail(sequence, this.#tooLong(sequence))
    }
  }

  #pause(sequence: Sequence): void {
    this.#counters.preemptions++
    this.#requests.pause(sequence)
    this.#full = true
  }

  #tooLong({ tokens, request }: Sequence): ContextLengthExceeded {
    return new ContextLengthExceeded(tokens.length, this.#contextLength, request.prepared.field)
  }

  /** A batch failed: recomputes each of its sequences alone, so that only the faulty one fails. */
  isolate(work: readonly Work<Sequence>[]): void {
    const { cache } = this.#runtime
    for (const { sequence } of work) if (sequence.slot !== undefined) cache.clear(sequence.slot)
    const [only] = work
    if (work.length === 1 && only?.sequence.suspect)
      return this.#requests.fail(
        only.sequence,
        new DecodeFailed("llama.cpp failed to compute this sequence, also on its own"),
      )
    for (const { sequence } of work) sequence.suspect = true
  }

  /**
   * Some outputs are NaN, so some cells contain NaN. With a shared pool these can affect every sequence, now
   * and later, in spite of the mask: masking adds -Infinity, and NaN stays NaN. So can cells that a request left
   * before its numbers were seen. Then the cache is wiped and all sequences are recomputed one by one until the
   * faulty ones are found.
   */
  findCulprits(broken: ReadonlySet<Sequence>): void {
    const { running } = this.#requests
    const isConfined = this.#runtime.cache.confinesFaults
    const isFound = isConfined || running.length === 1 || [...broken].every(({ suspect }) => suspect)
    if (isFound) for (const sequence of broken) this.#failBroken(sequence)
    if (isConfined) return
    this.wipe()
    for (const sequence of this.#requests.running) sequence.suspect = !isFound
  }

  #failBroken(sequence: Sequence): void {
    const { slot } = sequence
    if (!sequence.finished) this.#requests.fail(sequence, new NotNumbers())
    if (slot !== undefined) this.#runtime.cache.taint(slot)
  }

  /** Clears the whole cache; running sequences are recomputed from their tokens. */
  wipe(): void {
    this.#runtime.cache.wipe()
  }
}
