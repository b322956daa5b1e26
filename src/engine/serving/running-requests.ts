import type { WorkEvent } from "../../domain/tasks"
import { fromWire, type XllmError } from "../../errors/base"
import { EventReader, type WireEvents } from "../../protocol/wire"
import type { QueuedRequest } from "./queued-request"

/** The requests that run in a worker, and the slots that they take. */
export class RunningRequests {
  readonly #byId = new Map<number, QueuedRequest>()
  /** How many of each group. */
  readonly #groups = new Map<unknown, number>()
  readonly #events = new EventReader<WorkEvent>()
  #taken = 0

  get size(): number {
    return this.#byId.size
  }

  /** Slots in use; more than exist where a request has more choices. */
  get taken(): number {
    return this.#taken
  }

  /**
   * The same, where a request that has more choices than there are slots counts as one: its choices take turns with
   * the other requests in the worker.
   */
  takenOf(slots: number): number {
    const counted = [...this.#byId.values()].map((each) => (each.slots >= slots ? 1 : each.slots))
    return counted.reduce((sum, count) => sum + count, 0)
  }

  /** How many of the group run. */
  of(group: unknown): number {
    return this.#groups.get(group) ?? 0
  }

  add(queuedRequest: QueuedRequest): void {
    const { id, group } = queuedRequest
    this.#byId.set(id, queuedRequest)
    this.#groups.set(group, this.of(group) + 1)
    this.#taken += queuedRequest.slots
  }

  /** Returns false where it does not run here. */
  remove({ id, slots, group }: QueuedRequest): boolean {
    if (!this.#byId.delete(id)) return false
    if (this.of(group) > 1) this.#groups.set(group, this.of(group) - 1)
    else this.#groups.delete(group)
    this.#events.forget(id)
    this.#taken -= slots
    return true
  }

  /** Passes the worker's events on. Returns whether any request is over. */
  deliver(events: WireEvents<WorkEvent>, now: number): boolean {
    let isAnyOver = false
    for (const entry of this.#events.read(events)) {
      // A cancelled request may still have events in flight.
      const queuedRequest = this.#byId.get(entry.id)
      if (queuedRequest === undefined) continue
      if ("error" in entry) queuedRequest.fail(fromWire(entry.error))
      else if (!queuedRequest.take(entry.event, now)) continue
      this.remove(queuedRequest)
      isAnyOver = true
    }
    return isAnyOver
  }

  failAll(error: XllmError): void {
    for (const queuedRequest of [...this.#byId.values()]) {
      this.remove(queuedRequest)
      queuedRequest.fail(error)
    }
  }
}
