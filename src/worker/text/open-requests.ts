import type { FinishReason } from "../../domain/chat"
import type { XllmError } from "../../errors/base"
import type { Emitter } from "./emitter"
import type { RunningRequest } from "./request"
import type { Runtime } from "./runtime"
import type { Sequence } from "./sequence"

/** The open requests and their sequences, each of which waits for a slot or runs in one. */
export class OpenRequests {
  readonly #runtime: Runtime
  readonly #emit: Emitter
  readonly #requests = new Map<number, RunningRequest>()
  #waiting: Sequence[] = []
  #running: Sequence[] = []

  constructor(runtime: Runtime, emit: Emitter) {
    this.#runtime = runtime
    this.#emit = emit
  }

  get size(): number {
    return this.#requests.size
  }

  /** The sequences without a slot, in the order in which they get one. */
  get waiting(): readonly Sequence[] {
    return this.#waiting
  }

  /** The sequences that have a slot, the oldest first. */
  get running(): readonly Sequence[] {
    return this.#running
  }

  add(request: RunningRequest): void {
    this.#requests.set(request.id, request)
    this.#waiting.push(...request.sequences)
  }

  /** Cancels a request, if it is open, and frees its slots. */
  cancel(id: number): void {
    const request = this.#requests.get(id)
    if (request !== undefined) this.#end(request, request.sequences)
  }

  /** Takes sequences that were given a slot from the waiting to the running ones. */
  start(admitted: readonly Sequence[]): void {
    if (admitted.length === 0) return
    this.#running.push(...admitted)
    this.#waiting = this.#waiting.filter((sequence) => sequence.slot === undefined)
  }

  /** Takes a sequence's slot away, with its cells; it is recomputed from its tokens when it has one again. */
  pause(sequence: Sequence): void {
    const { cache } = this.#runtime
    if (sequence.slot !== undefined) {
      this.#leave(sequence)
      cache.clear(sequence.slot)
      cache.release(sequence.slot)
      sequence.slot = undefined
    }
    this.#running = this.#running.filter((other) => other !== sequence)
    this.#waiting.unshift(sequence)
  }

  /** Ends a choice, and its request after the last one. */
  finish(sequence: Sequence, reason: FinishReason, stop?: string): void {
    const { request, slot } = sequence
    this.#emit.parts(sequence, sequence.endOfAnswer())
    this.#retire(sequence)
    this.#emit.finish(sequence, {
      reason: reason === "stop" && sequence.hasCalls ? "tool_calls" : reason,
      stop,
      slot: slot?.number,
    })
    if (!request.finished) return
    this.#emit.done(request)
    this.#forget(request)
  }

  /** Fails the whole request because one of its choices failed. */
  fail(sequence: Sequence, error: XllmError): void {
    const { request } = sequence
    const others = request.sequences.filter((other) => other !== sequence)
    this.#end(request, others)
    this.#emit.failure(request, error)
  }

  /** Fails a request, if it is still open, whatever its choices do. */
  failRequest(request: RunningRequest, error: XllmError): void {
    if (!this.#requests.has(request.id)) return
    this.#end(request, request.sequences)
    this.#emit.failure(request, error)
  }

  /** Fails everything. */
  failAll(error: XllmError): void {
    for (const request of [...this.#requests.values()]) {
      this.#end(request, [])
      this.#emit.failure(request, error)
    }
  }

  /** Ends a request. `unseen`: those of its choices that may have no logits yet. */
  #end(request: RunningRequest, unseen: readonly Sequence[]): void {
    for (const sequence of unseen) this.#leave(sequence)
    for (const sequence of request.sequences) this.#retire(sequence)
    this.#forget(request)
  }

  #forget(request: RunningRequest): void {
    request[Symbol.dispose]()
    this.#requests.delete(request.id)
  }

  /** A prompt that was only partly computed has no logits that would tell whether its cells are sound. */
  #leave({ slot, generated }: Sequence): void {
    if (slot !== undefined && slot.length > 0 && generated === 0) this.#runtime.cache.doubt()
  }

  /** Ends a sequence; its slot keeps the cached tokens. */
  #retire(sequence: Sequence): void {
    if (sequence.finished) return
    sequence.finished = true
    if (sequence.slot !== undefined) this.#runtime.cache.release(sequence.slot)
    sequence.slot = undefined
    sequence.sampler?.[Symbol.dispose]()
    this.#running = this.#running.filter((other) => other !== sequence)
    this.#waiting = this.#waiting.filter((other) => other !== sequence)
  }
}
