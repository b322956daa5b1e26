import type { GenerationEvent } from "../../../domain/chat"
import { NO_COUNTERS, type StepUsage, type WorkerCounters } from "../../../domain/loaded-model"
import type { XllmError } from "../../../errors/base"
import type { FromTextWorker } from "../../../protocol/messages"
import { encodeEvents, type PromptLogprob, type WorkerEvent } from "../../../protocol/wire"

export type MutableCounters = { -readonly [K in keyof WorkerCounters]: WorkerCounters[K] }

export function noCounters(): MutableCounters {
  return { ...NO_COUNTERS }
}

/** Collects the events of one step and sends them as one message. */
export class StepOutbox {
  readonly counters = noCounters()
  readonly #send: (message: FromTextWorker) => void
  #events: WorkerEvent<GenerationEvent>[] = []
  #usage: StepUsage | undefined

  constructor(send: (message: FromTextWorker) => void) {
    this.#send = send
  }

  event(id: number, event: GenerationEvent): void {
    this.#events.push({ id, event })
  }

  /** Adds the next log probability of a request's prompt; its `prompt` event follows the last one. */
  promptLogprob(id: number, token: PromptLogprob): void {
    this.#events.push({ id, promptLogprobs: [token] })
  }

  error(id: number, error: XllmError): void {
    this.#events.push({ id, error: error.toWire() })
  }

  /** Sets the usage of the step reported next. */
  used(usage: StepUsage): void {
    this.#usage = usage
  }

  /** Drops the pending events of a cancelled request. */
  drop(id: number): void {
    this.#events = this.#events.filter((event) => event.id !== id)
  }

  get empty(): boolean {
    return this.#events.length === 0
  }

  flush(): void {
    const usage = this.#usage
    this.#send({
      type: "step",
      events: encodeEvents(this.#events),
      counters: this.counters,
      ...(usage !== undefined && { usage }),
    })
    this.#events = []
    this.#usage = undefined
  }
}
