import type { EmbeddingEvent } from "../../domain/embedding"
import type { StepUsage } from "../../domain/loaded-model"
import type { XllmError } from "../../errors/base"
import type { FromWorker } from "../../protocol/messages"
import type { RequestEvent } from "../../protocol/wire"
import type { MutableCounters } from "../text/output/step-outbox"
import type { EmbeddingOutbox } from "./embed-loop"

/** Collects the events of one decode and sends them as one message. */
export class VectorOutbox implements EmbeddingOutbox {
  readonly #send: (message: FromWorker<EmbeddingEvent>) => void
  readonly #counters: MutableCounters
  #events: RequestEvent<EmbeddingEvent>[] = []
  #usage: StepUsage | undefined

  constructor(send: (message: FromWorker<EmbeddingEvent>) => void, counters: MutableCounters) {
    this.#send = send
    this.#counters = counters
  }

  event(id: number, event: EmbeddingEvent): void {
    this.#events.push({ id, event })
  }

  error(id: number, error: XllmError): void {
    this.#events.push({ id, error: error.toWire() })
  }

  decoded(usage: StepUsage): void {
    this.#counters.decodeCalls++
    this.#counters.promptTokensEvaluated += usage.tokens
    this.#usage = usage
  }

  drop(id: number): void {
    this.#events = this.#events.filter((event) => event.id !== id)
  }

  flush(): void {
    const usage = this.#usage
    const events = this.#events
    this.#usage = undefined
    this.#events = []
    this.#send({ type: "step", events, counters: this.#counters, ...(usage !== undefined && { usage }) })
  }
}
