import type { WorkEvent } from "../../domain/tasks"
import { fromWire, type XllmError } from "../../errors/base"
import { EventReader, type WireEvents } from "../../protocol/wire"
import type { QueuedRequest } from "./queued-request"

/** The requests that run in a worker, and the slots that they take. */
export class RunningRequests {
  readonly #byId = new Map<number, QueuedRequest>()
  readonly #events = new EventReader<WorkEvent>()
  #taken = 0

  get size(): number {
    return this.#byId.size
  }

  /** Slots in use; more than exist where a request has more choices. */
  get taken(): number {
    return this.#taken
  }

  add(queuedRequest: QueuedRequest): void {
    this.#byId.set(queuedRequest.id, queuedRequest)
    this.#taken += queuedRequest.slots
  }

  /** Returns false where it does not run here. */
  remove({ id, slots }: QueuedRequest): boolean {
    if (!this.#byId.delete(id)) return false
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
