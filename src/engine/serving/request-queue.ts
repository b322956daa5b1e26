import type { XllmError } from "../../errors/base"
import { QueueFull, QueueTimeout } from "../../errors/request"
import type { QueuedRequest } from "./queued-request"

/** The requests that wait for one model: who they are, what they are told, and how fast they are served. */
export class RequestQueue {
  readonly #model: string
  readonly #queue: AdmissionQueue<QueuedRequest>
  readonly #rate = new ServiceRate()

  constructor(model: string, limit: number) {
    this.#model = model
    this.#queue = new AdmissionQueue(limit)
  }

  set limit(limit: number) {
    this.#queue.limit = limit
  }

  get count(): number {
    return this.#queue.count
  }

  /** Adds a request at the end; false where the queue is full. `free`: slots that it could start in, or soon can. */
  join(queuedRequest: QueuedRequest, free: number): boolean {
    return this.#queue.join(queuedRequest, free)
  }

  /** Takes a request out; false where it is not here. */
  leave(queuedRequest: QueuedRequest): boolean {
    return this.#queue.leave(queuedRequest)
  }

  /** Takes out those that start, in order, until `start` says that the next one cannot. Returns how many did. */
  startWhile(start: (queuedRequest: QueuedRequest) => boolean): number {
    let started = 0
    for (let head = this.#queue.head; head !== undefined && start(head); head = this.#queue.head) {
      this.#queue.leave(head)
      started += 1
    }
    return started
  }

  failAll(error: XllmError): void {
    for (const queuedRequest of [...this.#queue]) {
      this.#queue.leave(queuedRequest)
      queuedRequest.fail(error)
    }
  }

  /** Takes out those that `judge` finds an error for, and fails them with it. */
  refuseWhere(judge: (queuedRequest: QueuedRequest) => XllmError | undefined): void {
    for (const queuedRequest of [...this.#queue]) {
      const error = judge(queuedRequest)
      if (error === undefined) continue
      this.#queue.leave(queuedRequest)
      queuedRequest.fail(error)
    }
  }

  /** How much of the model that they wait for is loaded. */
  emitLoading(fraction: number): void {
    for (const queuedRequest of this.#queue) queuedRequest.loading(fraction)
  }

  emitPositions(): void {
    let position = 0
    for (const queuedRequest of this.#queue) queuedRequest.isAt(position++)
  }

  /** Somebody waits for a slot, and nobody did before. */
  backlogBegan(now: number): void {
    this.#rate.backlogBegan(now)
  }

  /** So many that waited have been started. */
  served(count: number, now: number): void {
    for (let each = 0; each < count; each++) this.#rate.started(now)
  }

  /** What one is refused with because `waiting` are there already. */
  full(waiting = this.count): QueueFull {
    return new QueueFull(this.#model, waiting, this.#rate.retryAfterSeconds(waiting))
  }

  /** What one is given up with that has waited for too long. */
  timeout(limitMs: number): QueueTimeout {
    return new QueueTimeout(this.#model, limitMs, this.#rate.retryAfterSeconds(this.count))
  }
}

/**
 * Who waits for one model, strictly first come, first served. Nothing in here waits itself, and a member that has left
 * is unknown.
 */
export class AdmissionQueue<T> {
  /** In order of arrival. */
  readonly #waiting = new Set<T>()
  /** How many may wait, apart from those that will start at once. */
  limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  get count(): number {
    return this.#waiting.size
  }

  /** The one that is next. */
  get head(): T | undefined {
    for (const member of this.#waiting) return member
    return undefined
  }

  /** Those that wait, in order; the iteration may remove them. */
  [Symbol.iterator](): Iterator<T> {
    return this.#waiting[Symbol.iterator]()
  }

  /** Adds `member` at the end; false where the queue is full. `free`: slots that it could start in, or soon can. */
  join(member: T, free: number): boolean {
    if (this.#waiting.size >= this.limit + Math.max(0, free)) return false
    this.#waiting.add(member)
    return true
  }

  /** Takes `member` out; false where it is not here. */
  leave(member: T): boolean {
    return this.#waiting.delete(member)
  }
}

/** A new measurement counts this much against all earlier ones: the last ten or so decide. */
const NEW_SHARE = 0.1

/** What is answered before anything was measured, and the bounds of what is answered after: seconds. */
const UNMEASURED_SECONDS = 5

const LEAST_SECONDS = 1

const MOST_SECONDS = 120

/** How fast a queue moves, measured while somebody waits in it. Times are milliseconds of one monotonic clock. */
export class ServiceRate {
  #lastStart: number | undefined
  #meanInterval: number | undefined

  /** The queue was empty and is not any more. */
  backlogBegan(now: number): void {
    this.#lastStart = now
  }

  /** One that waited has been started. */
  started(now: number): void {
    if (this.#lastStart !== undefined) {
      const interval = now - this.#lastStart
      this.#meanInterval =
        this.#meanInterval === undefined
          ? interval
          : this.#meanInterval + NEW_SHARE * (interval - this.#meanInterval)
    }
    this.#lastStart = now
  }

  /**
   * When a refused client may try again, in whole seconds: the time until half of those that wait have been started.
   * Not until the first of them has, or all the refused would be back for one place.
   */
  retryAfterSeconds(waiting: number): number {
    if (this.#meanInterval === undefined) return UNMEASURED_SECONDS
    const seconds = Math.ceil(((waiting / 2) * this.#meanInterval) / 1000)
    return Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, seconds))
  }
}
