import { DecodeFailed, NotNumbers } from "../../errors/engine"
import { ContextLengthExceeded } from "../../errors/request"
import { leastRecentlyUsedPrefix } from "./cache/slots"
import type { OpenRequests } from "./open-requests"
import type { MutableCounters } from "./output/step-outbox"
import type { Runtime } from "./runtime"
import type { Work } from "./scheduler"
import type { Sequence } from "./sequence"

export interface RecoveryParts {
  readonly runtime: Runtime
  readonly requests: OpenRequests
  readonly counters: MutableCounters
  /** The maximum length of a conversation, in tokens. */
  readonly contextLength: number
}

/** What is done after a step that could not be computed. Each remedy makes the next step one that can be. */
export class Recovery {
  readonly #runtime: Runtime
  readonly #requests: OpenRequests
  readonly #counters: MutableCounters
  readonly #contextLength: number
  #full = false

  constructor({ runtime, requests, counters, contextLength }: RecoveryParts) {
    this.#runtime = runtime
    this.#requests = requests
    this.#counters = counters
    this.#contextLength = contextLength
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

  /** The pool is full: drops idle prefixes first, then pauses the youngest stream. Nothing was computed. */
  makeSpace(work: readonly Work<Sequence>[]): void {
    const { cache } = this.#runtime
    const { running } = this.#requests
    const prefix = leastRecentlyUsedPrefix(cache.slots)
    if (prefix !== undefined) return cache.clear(prefix)
    const youngest = running[running.length - 1]
    if (youngest !== undefined && running.length > 1) return this.#pause(youngest)
    for (const { sequence } of work) this.#requests.fail(sequence, this.#tooLong(sequence))
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
   * and later, in spite of the mask: masking adds -Infinity, and NaN stays NaN. So the cache is wiped and all
   * sequences are recomputed one by one until the faulty ones are found.
   */
  findCulprits(broken: ReadonlySet<Sequence>): void {
    const { running } = this.#requests
    const isConfined = this.#runtime.cache.layout === "split"
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
    for (const sequence of this.#requests.running) sequence.shared = undefined
  }
}
