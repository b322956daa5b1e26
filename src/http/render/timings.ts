import type { GenerationEvent, Timings } from "../../domain/chat"
import type { MediaTimings } from "../../domain/request"

/** Under llama-server's names, plus the time in the queue. Rates are 0 if nothing was measured. */
export interface TimingsBody {
  readonly cache_n: number
  readonly prompt_n: number
  readonly prompt_ms: number
  readonly prompt_per_token_ms: number
  readonly prompt_per_second: number
  readonly predicted_n: number
  readonly predicted_ms: number
  /** This and the next exclude each choice's first token, whose time belongs to the prompt. */
  readonly predicted_per_token_ms: number
  readonly predicted_per_second: number
  readonly queue_ms: number
  readonly load_ms: number
  /** Guessed tokens that were checked together, and those of them that were right; absent: none. */
  readonly draft_n?: number
  readonly draft_n_accepted?: number
  /** How many of `cache_n` were read from disk, and how long that took; absent: none. */
  readonly cache_disk_n?: number
  readonly cache_disk_ms?: number
}

/** @param choices how many answers were generated together */
export function toTimingsBody(timings: Timings, cachedTokens: number, choices: number): TimingsBody {
  const paidFor = Math.max(0, timings.generatedTokens - choices)
  return {
    cache_n: cachedTokens,
    prompt_n: timings.promptTokens,
    prompt_ms: timings.promptMs,
    prompt_per_token_ms: ratio(timings.promptMs, timings.promptTokens),
    prompt_per_second: ratio(timings.promptTokens * 1000, timings.promptMs),
    predicted_n: timings.generatedTokens,
    predicted_ms: timings.generationMs,
    predicted_per_token_ms: ratio(timings.generationMs, paidFor),
    predicted_per_second: ratio(paidFor * 1000, timings.generationMs),
    queue_ms: timings.queueMs,
    load_ms: timings.loadMs,
    ...(timings.drafts !== undefined && {
      draft_n: timings.drafts.tokens,
      draft_n_accepted: timings.drafts.accepted,
    }),
    ...(timings.disk !== undefined && {
      cache_disk_n: timings.disk.tokens,
      cache_disk_ms: timings.disk.ms,
    }),
  }
}

function ratio(dividend: number, divisor: number): number {
  return divisor > 0 ? dividend / divisor : 0
}

/**
 * Timings of an answer that is still being generated, measured here: counted from the events with this process's
 * clock. The final ones are measured by the worker.
 */
export class RunningTimings {
  readonly #choices = new Set<number>()
  /** Evaluated prompt tokens, as far as known. */
  #promptTokens = 0
  #cachedTokens = 0
  #generatedTokens = 0
  #startedAt = performance.now()
  #acceptedAt = this.#startedAt
  #firstTextAt: number | undefined

  observe(event: GenerationEvent): void {
    if (event.type === "prompt") {
      this.#acceptedAt = performance.now()
    } else if (event.type === "progress") {
      this.#cachedTokens = event.cached
      // A prompt that was paused for others restarts, perhaps with fewer cached tokens than before.
      this.#promptTokens = Math.max(this.#promptTokens, event.processed - event.cached)
    } else if (event.type === "delta") {
      this.#choices.add(event.choice)
      this.#generatedTokens += event.tokens
      this.#firstTextAt ??= performance.now()
    }
  }

  body(): TimingsBody {
    const now = performance.now()
    const timings: Timings = {
      queueMs: this.#acceptedAt - this.#startedAt,
      loadMs: 0,
      promptTokens: this.#promptTokens,
      // Before its first token is evaluated, it has taken no time.
      promptMs: this.#promptTokens === 0 ? 0 : (this.#firstTextAt ?? now) - this.#acceptedAt,
      generatedTokens: this.#generatedTokens,
      generationMs: this.#firstTextAt === undefined ? 0 : now - this.#firstTextAt,
    }
    return toTimingsBody(timings, this.#cachedTokens, this.#choices.size)
  }
}

/** Timings of speech, transcription and images. */
export interface MediaTimingsBody {
  readonly queue_ms: number
  readonly load_ms: number
  readonly work_ms: number
}

export function toMediaTimingsBody({ queueMs, loadMs, workMs }: MediaTimings): MediaTimingsBody {
  return { queue_ms: queueMs, load_ms: loadMs, work_ms: workMs }
}
