import type { WorkEvent } from "../domain/tasks"
import type { CountedOutcome } from "./request-metrics"
import type { CountedWorker } from "./worker-metrics"

/** Something that happened to a model. */
export type Happening =
  | { readonly type: "model-loading" | "worker-crashed" }
  | { readonly type: "model-loaded"; readonly ms: number }
  | { readonly type: "model-load-failed"; readonly code: string }
  | { readonly type: "model-unloaded"; readonly reason: string }

/** A happening, with its place in the order of all. */
export type JournalEntry = Happening & {
  /** From 1. */
  readonly id: number
  readonly at: Date
  readonly model: string
  /** From 1. */
  readonly replica: number
}

/** Totals since the server's start. */
export interface ActivityTotals {
  /** Tokens of answers, as they come. */
  readonly generatedTokens: number
  /** Of finished answers, cached ones included. */
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly finished: number
  readonly failed: number
  /** Because a queue was full. */
  readonly refused: number
}

/** How many happenings are kept. */
const JOURNAL_LENGTH = 200

/** How many first tokens are kept for the percentiles, and for how long. */
const FIRST_TOKENS = 512
const WINDOW_MS = 5 * 60_000

/**
 * What the server does at present, for those who watch it. Metrics have the same as counters for later; this keeps the
 * newest happenings. The methods are those of the engine's `EngineObserver`.
 */
export class Activity {
  readonly #journal: JournalEntry[] = []
  readonly #firstTokens: { readonly at: number; readonly ms: number }[] = []
  readonly #totals = {
    generatedTokens: 0,
    promptTokens: 0,
    cachedTokens: 0,
    finished: 0,
    failed: 0,
    refused: 0,
  }
  #entries = 0

  get totals(): ActivityTotals {
    return { ...this.#totals }
  }

  /** Times to the first token of the last five minutes, in milliseconds, sorted. */
  firstTokens(now = performance.now()): readonly number[] {
    const recent = this.#firstTokens.filter(({ at }) => now - at <= WINDOW_MS)
    return recent.map(({ ms }) => ms).sort((a, b) => a - b)
  }

  /** The kept happenings after the one with that number, oldest first. */
  journalAfter(id: number): readonly JournalEntry[] {
    return this.#journal.filter((entry) => entry.id > id)
  }

  firstToken(ms: number): void {
    this.#totals.generatedTokens++
    this.#firstTokens.push({ at: performance.now(), ms })
    if (this.#firstTokens.length > FIRST_TOKENS) this.#firstTokens.shift()
  }

  nextTokens(tokens: number): void {
    this.#totals.generatedTokens += tokens
  }

  requestFinished(outcome: CountedOutcome): void {
    if (outcome.type === "done") {
      this.#totals.finished++
      this.#countPrompt(outcome)
    } else if (outcome.type !== "cancelled") this.#totals.failed++
  }

  requestRefused(): void {
    this.#totals.refused++
  }

  happened(worker: CountedWorker, happening: Happening): void {
    const { model, replica } = worker
    this.#journal.push({ ...happening, id: ++this.#entries, at: new Date(), model, replica })
    if (this.#journal.length > JOURNAL_LENGTH) this.#journal.shift()
  }

  #countPrompt({ usage }: Extract<WorkEvent, { readonly type: "done" }>): void {
    if (!("promptTokens" in usage)) return
    this.#totals.promptTokens += usage.promptTokens
    this.#totals.cachedTokens += usage.cachedTokens
  }
}
