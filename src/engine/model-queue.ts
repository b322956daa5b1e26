import { QueueFull, QueueTimeout, type XllmError } from "../errors"
import type { Admission } from "./admission"
import { AdmissionQueue } from "./admission-queue"
import { ServiceRate } from "./service-rate"

/** The requests that wait for one model: who they are, what they are told, and how fast they are served. */
export class ModelQueue {
  readonly #model: string
  readonly #queue: AdmissionQueue<Admission>
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
  join(admission: Admission, free: number): boolean {
    return this.#queue.join(admission, free)
  }

  /** Takes a request out; false where it is not here. */
  leave(admission: Admission): boolean {
    return this.#queue.leave(admission)
  }

  /** Takes out those that start, in order, until `start` says that the next one cannot. Returns how many did. */
  startWhile(start: (admission: Admission) => boolean): number {
    let started = 0
    for (let head = this.#queue.head; head !== undefined && start(head); head = this.#queue.head) {
      this.#queue.leave(head)
      started += 1
    }
    return started
  }

  failAll(error: XllmError): void {
    for (const admission of [...this.#queue]) {
      this.#queue.leave(admission)
      admission.fail(error)
    }
  }

  /** Takes out those that `judge` finds an error for, and fails them with it. */
  refuseWhere(judge: (admission: Admission) => XllmError | undefined): void {
    for (const admission of [...this.#queue]) {
      const error = judge(admission)
      if (error === undefined) continue
      this.#queue.leave(admission)
      admission.fail(error)
    }
  }

  /** How much of the model that they wait for is loaded. */
  tellLoading(fraction: number): void {
    for (const admission of this.#queue) admission.loading(fraction)
  }

  tellPositions(): void {
    let position = 0
    for (const admission of this.#queue) admission.isAt(position++)
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
