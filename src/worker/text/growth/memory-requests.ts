import type { MemoryFootprint } from "../../../domain/device"
import type { FromWorker, KvState, MemoryGrant } from "../../../protocol/messages"
import type { MemoryBroker } from "./pool-growth"

/** The messages about memory, which are the same for all kinds. */
type MemoryMessage = Extract<FromWorker<never>, { readonly type: "memory-request" | "footprint" }>

/** Asks the server for memory, one request at a time. */
export class MemoryRequests implements MemoryBroker {
  readonly #send: (message: MemoryMessage) => void
  readonly #footprintWith: (kvBytes: number) => MemoryFootprint
  #lastId = 0
  #answer: ((granted: MemoryGrant) => void) | undefined
  /** Those that wait for an answer to the one before. */
  readonly #waiting: (() => void)[] = []
  #kvBytes: number

  /** `kvBytes`: of the present KV cache. */
  constructor(
    send: (message: MemoryMessage) => void,
    footprintWith: (kvBytes: number) => MemoryFootprint,
    kvBytes = 0,
  ) {
    this.#send = send
    this.#footprintWith = footprintWith
    this.#kvBytes = kvBytes
  }

  ask(extra: MemoryFootprint, least: MemoryFootprint): Promise<MemoryGrant> {
    const { promise, resolve } = Promise.withResolvers<MemoryGrant>()
    const begin = () => {
      this.#answer = resolve
      this.#send({ type: "memory-request", id: ++this.#lastId, extra, least })
    }
    if (this.#answer === undefined) begin()
    else this.#waiting.push(begin)
    return promise
  }

  answer(id: number, granted: MemoryGrant): void {
    if (id !== this.#lastId || this.#answer === undefined) return
    const answer = this.#answer
    this.#answer = undefined
    answer(granted)
    this.#waiting.shift()?.()
  }

  holds(kv: KvState): void {
    this.#kvBytes = kv.bytes
    this.#send({ type: "footprint", footprint: this.#footprintWith(kv.bytes), kv })
  }

  /** Reports what is held beside the KV cache by now. Ends what was granted. */
  remeasured(): void {
    this.#send({ type: "footprint", footprint: this.#footprintWith(this.#kvBytes) })
  }
}
