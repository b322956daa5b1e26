import type { FinishReason } from "../../domain/chat"
import type { XllmError } from "../../errors/base"
import type { Vocabulary } from "../../llama/vocabulary"
import type { PartEvent } from "./output/answer-output"
import type { StepOutbox } from "./output/step-outbox"
import type { RunningRequest } from "./request"
import type { Sequence } from "./sequence"

/** How an answer ended, and the number of the slot that it was generated in. */
interface Ending {
  readonly reason: FinishReason
  readonly stop: string | undefined
  readonly slot: number | undefined
}

/** Turns what happens to requests into events of the next message. */
export class Emitter {
  readonly #outbox: StepOutbox
  readonly #vocabulary: Vocabulary
  readonly #now: () => number

  constructor(outbox: StepOutbox, vocabulary: Vocabulary, now: () => number) {
    this.#outbox = outbox
    this.#vocabulary = vocabulary
    this.#now = now
  }

  /** Sends the first token of a prompt without a log probability, since no token precedes it. */
  firstToken({ id, prepared }: RunningRequest): void {
    const first = prepared.tokens[0] ?? 0
    const bytes = Array.from(this.#vocabulary.bytes(first))
    this.#outbox.promptLogprob(id, { id: first, bytes })
  }

  prompt({ id, prepared }: RunningRequest): void {
    const { tokens, echo, warnings } = prepared
    this.#outbox.event(id, {
      type: "prompt",
      tokens: tokens.length,
      ...(echo !== undefined && { text: echo }),
      ...(warnings.length > 0 && { warnings }),
    })
  }

  /** How much of a prompt is computed, if its request wants to know. */
  progress(sequence: Sequence): void {
    const { request } = sequence
    if (!request.prepared.returnProgress || sequence.choice !== 0 || sequence.slot === undefined) return
    const total = request.prepared.tokens.length
    if (sequence.slot.length > total) return
    this.#outbox.event(request.id, {
      type: "progress",
      total,
      cached: request.cachedTokens,
      processed: sequence.slot.length,
      ms: request.elapsed(this.#now()),
    })
  }

  /** Sends what an answer gained. */
  parts(sequence: Sequence, events: readonly PartEvent[]): void {
    const { request, choice } = sequence
    for (const event of events) {
      if (event.type === "delta") this.#delta(sequence, event)
      else this.#outbox.event(request.id, { ...event, choice })
    }
  }

  #delta(sequence: Sequence, { part, text, tokens, logprobs }: Extract<PartEvent, { type: "delta" }>): void {
    const ids = sequence.takeUnreportedIds()
    this.#outbox.event(sequence.request.id, {
      type: "delta",
      choice: sequence.choice,
      part,
      text,
      tokens,
      ...(logprobs !== undefined && { logprobs }),
      ...(ids !== undefined && { ids }),
    })
  }

  finish({ request, choice, generated }: Sequence, { reason, stop, slot }: Ending): void {
    this.#outbox.event(request.id, {
      type: "finish",
      choice,
      reason,
      ...(stop !== undefined && { stop }),
      completionTokens: generated,
      ...(request.prepared.slot !== undefined && slot !== undefined && { slot }),
    })
  }

  done(request: RunningRequest): void {
    this.#outbox.event(request.id, {
      type: "done",
      usage: request.usage(),
      timings: request.timings(this.#now()),
    })
  }

  failure({ id }: RunningRequest, error: XllmError): void {
    this.#outbox.error(id, error)
  }
}
