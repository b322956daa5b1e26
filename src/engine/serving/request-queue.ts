import type { XllmError } from "../../errors/base"
import { QueueFull, QueueTimeout } from "../../errors/request"
import type { QueuedRequest } from "./queued-request"

/** The requests waiting for one model: their order, their progress events and the rate at which they are served. */
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

  /** Appends a request; false where the queue is full. `free`: slots that are, or soon will be, available to it. */
  join(queuedRequest: QueuedRequest, free: number): boolean {
    return this.#queue.join(queuedRequest, free)
  }

  /** Removes a request; false where it is not queued. */
  leave(queuedRequest: QueuedRequest): boolean {
    return this.#queue.leave(queuedRequest)
  }

  /** Removes requests from the head for as long as `start` starts them. Returns how many were started. */
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

/** A strict first-come, first-served queue for one model. It is synchronous, and ignores members that have left. */
export class AdmissionQueue<T> {
  /** In order of arrival. */
  readonly #waiting = new Set<T>()
  /** How many may wait, not counting those that will start at once. */
  limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  get count(): number {
    return this.#waiting.size
  }

  /** The next member. */
  get head(): T | undefined {
    for (const member of this.#waiting) return member
    return undefined
  }

  /** The members in order; they may be removed while iterating. */
  [Symbol.iterator](): Iterator<T> {
    return this.#waiting[Symbol.iterator]()
  }

  /** Appends `member`; false where the queue is full. `free`: slots that are, or soon will be, available to it. */
  join(member: T, free: number): boolean {
    if (this.#waiting.size >= this.limit + Math.max(0, free)) return false
    this.#waiting.add(member)
    return true
  }

  /** Removes `member`; false where it is not queued. */
  leave(member: T): boolean {
    return this.#waiting.delete(member)
  }
}

/** Weight of a new measurement against all earlier ones: about the last ten decide. */
const NEW_SHARE = 0.1

/** The answer before anything is measured, and the bounds of later answers, in seconds. */
const UNMEASURED_SECONDS = 5

const LEAST_SECONDS = 1

const MOST_SECONDS = 120

/** How fast a queue moves, measured while it is not empty. Times are milliseconds of one monotonic clock. */
export class ServiceRate {
  #lastStart: number | undefined
  #meanInterval: number | undefined

  /** The queue is no longer empty. */
  backlogBegan(now: number): void {
    this.#lastStart = now
  }

  /** A waiting request was started. */
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
   * When a refused client should retry, in whole seconds: the time until half of the waiting requests have started.
   * Waiting only for the first would bring every refused client back for one place.
   */
  retryAfterSeconds(waiting: number): number {
    if (this.#meanInterval === undefined) return UNMEASURED_SECONDS
    const seconds = Math.ceil(((waiting / 2) * this.#meanInterval) / 1000)
    return Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, seconds))
  }
}
