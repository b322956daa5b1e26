import type { XllmError } from "../../errors/base"
import { QueueFull, QueueTimeout } from "../../errors/request"
import { FairQueue } from "../../lib/async/fair-queue"
import type { QueuedRequest } from "./queued-request"
import { ServiceRate } from "./service-rate"

/** The requests that wait for one model: their order, their progress events and the rate at which they are served. */
export class RequestQueue {
  readonly #model: string
  readonly #queue: FairQueue<QueuedRequest>
  readonly #rate = new ServiceRate()

  /** `runningOf`: how many requests of a group run. */
  constructor(model: string, limit: number, runningOf: (group: unknown) => number) {
    this.#model = model
    this.#queue = new FairQueue(limit, { groupOf: ({ group }) => group, servedOf: runningOf })
  }

  set limit(limit: number) {
    this.#queue.limit = limit
  }

  get count(): number {
    return this.#queue.count
  }

  /** Appends a request; false where the queue is full. `free`: slots that are, or soon will be, available to it. */
  join(queuedRequest: QueuedRequest, free: number): boolean {
    return this.#queue.join(queuedRequest, free)
  }

  /** Removes a request; false where it is not queued. */
  leave(queuedRequest: QueuedRequest): boolean {
    return this.#queue.leave(queuedRequest)
  }

  /** Removes those that `start` starts, which changes the order of the others. Returns how many they were. */
  startAll(start: (queuedRequest: QueuedRequest) => boolean): number {
    let started = 0
    for (let next = this.#firstOf(start); next !== undefined; next = this.#firstOf(start)) {
      this.#queue.serve(next)
      started += 1
    }
    return started
  }

  /** A worker that makes way for another model starts only what came before that: such a one may be behind others. */
  #firstOf(start: (queuedRequest: QueuedRequest) => boolean): QueuedRequest | undefined {
    for (const queuedRequest of this.#queue) if (start(queuedRequest)) return queuedRequest
    return undefined
  }

  failAll(error: XllmError): void {
    for (const queuedRequest of [...this.#queue]) {
      this.#queue.leave(queuedRequest)
      queuedRequest.fail(error)
    }
  }

  /** Removes and fails the requests that `judge` returns an error for. */
  refuseWhere(judge: (queuedRequest: QueuedRequest) => XllmError | undefined): void {
    for (const queuedRequest of [...this.#queue]) {
      const error = judge(queuedRequest)
      if (error === undefined) continue
      this.#queue.leave(queuedRequest)
      queuedRequest.fail(error)
    }
  }

  /** Reports the load progress of the model they wait for. */
  emitLoading(fraction: number): void {
    for (const queuedRequest of this.#queue) queuedRequest.loading(fraction)
  }

  emitPositions(): void {
    let position = 0
    for (const queuedRequest of this.#queue) queuedRequest.isAt(position++)
  }

  /** A request waits for a slot, the first since the queue was empty. */
  backlogBegan(now: number): void {
    this.#rate.backlogBegan(now)
  }

  /** `count` waiting requests were started. */
  served(count: number, now: number): void {
    for (let each = 0; each < count; each++) this.#rate.started(now)
  }

  /** The error for a request refused because `waiting` others are queued. */
  full(waiting = this.count): QueueFull {
    return new QueueFull(this.#model, waiting, this.#rate.retryAfterSeconds(waiting))
  }

  /** The error for a request that waited longer than the limit. */
  timeout(limitMs: number): QueueTimeout {
    return new QueueTimeout(this.#model, limitMs, this.#rate.retryAfterSeconds(this.count))
  }
}
