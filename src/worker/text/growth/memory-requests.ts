import type { MemoryFootprint } from "../../../domain/device"
import type { FromTextWorker, KvState, MemoryGrant } from "../../../protocol/messages"
import type { MemoryBroker } from "./pool-growth"

/** Asks the server for memory, one request at a time. */
export class MemoryRequests implements MemoryBroker {
  readonly #send: (message: FromTextWorker) => void
  readonly #footprintWith: (kvBytes: number) => MemoryFootprint
  #lastId = 0
  #answer: ((granted: MemoryGrant) => void) | undefined

  constructor(send: (message: FromTextWorker) => void, footprintWith: (kvBytes: number) => MemoryFootprint) {
    this.#send = send
    this.#footprintWith = footprintWith
  }

  ask(extra: MemoryFootprint, least: MemoryFootprint): Promise<MemoryGrant> {
    const { promise, resolve } = Promise.withResolvers<MemoryGrant>()
    this.#answer = resolve
    this.#send({ type: "memory-request", id: ++this.#lastId, extra, least })
    return promise
  }

  answer(id: number, granted: MemoryGrant): void {
    if (id === this.#lastId) this.#answer?.(granted)
  }

  holds(kv: KvState): void {
    this.#send({ type: "footprint", footprint: this.#footprintWith(kv.bytes), kv })
  }
}
