import type { GenerationEvent } from "../domain/chat"
import type { EmbeddingEvent } from "../domain/embedding"
import type { DraftCounts, StepUsage } from "../domain/loaded-model"
import type { MetricRegistry } from "./registry"
import type { MeasuredState } from "./state-metrics"

type Timed = Extract<GenerationEvent, { readonly type: "done" }>
type Embedded = Extract<EmbeddingEvent, { readonly type: "done" }>

/** Work, and the seconds that it took. */
class Throughput {
  #amount = 0
  #seconds = 0

  add(amount: number, seconds: number): void {
    this.#amount += amount
    this.#seconds += seconds
  }

  /** Amount per second since the last call; 0 where nothing was done. */
  take(): number {
    const rate = this.#seconds > 0 ? this.#amount / this.#seconds : 0
    this.#amount = 0
    this.#seconds = 0
    return rate
  }
}

/**
 * The metrics of llama-server, under its names and with its meanings, so that dashboards made for it show this server
 * as well: all models together, as it has only one. Tokens and times are those of answered requests.
 */
export class LlamaMetrics {
  readonly #metrics: ReturnType<typeof createLlamaMetrics>
  readonly #prompts = new Throughput()
  readonly #predictions = new Throughput()
  #decodes = 0
  #sequences = 0
  #mostTokens = 0

  constructor(registry: MetricRegistry) {
    this.#metrics = createLlamaMetrics(registry)
  }

  step({ sequences }: Pick<StepUsage, "sequences">): void {
    this.#decodes++
    this.#sequences += sequences
    this.#metrics.decodes.inc()
  }

  generated({ usage, timings }: Timed): void {
    this.#evaluated(timings.promptTokens, timings.promptMs / 1000)
    this.#metrics.cachedTokens.inc(usage.cachedTokens)
    this.#metrics.predictedTokens.inc(timings.generatedTokens)
    this.#metrics.predictedSeconds.inc(timings.generationMs / 1000)
    // The first token costs no step of its own.
    this.#predictions.add(Math.max(0, timings.generatedTokens - 1), timings.generationMs / 1000)
    const tokens = usage.promptTokens + usage.completionTokens
    if (tokens <= this.#mostTokens) return
    this.#metrics.mostTokens.inc(tokens - this.#mostTokens)
    this.#mostTokens = tokens
  }

  embedded({ usage, timings }: Embedded): void {
    this.#evaluated(usage.inputTokens, timings.workMs / 1000)
  }

  drafted({ checked, accepted }: DraftCounts): void {
    const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0)
    this.#metrics.draftTokens.inc(sum(checked))
    this.#metrics.draftTokensAccepted.inc(sum(accepted))
    // Every draft has a first token, which is counted alone.
    this.#metrics.drafts.inc(checked[0] ?? 0)
  }

  /** Call at every scrape. */
  measure({ queue }: Pick<MeasuredState, "queue"> = { queue: { models: [] } }): void {
    const sum = (count: (model: (typeof queue.models)[number]) => number) =>
      queue.models.reduce((all, model) => all + count(model), 0)
    this.#metrics.promptRate.set(this.#prompts.take())
    this.#metrics.predictedRate.set(this.#predictions.take())
    this.#metrics.processing.set(sum(({ running }) => running))
    this.#metrics.deferred.set(sum(({ waiting }) => waiting))
    this.#metrics.busySlots.set(this.#sequences / Math.max(1, this.#decodes))
  }

  #evaluated(tokens: number, seconds: number): void {
    this.#metrics.promptTokens.inc(tokens)
    this.#metrics.promptSeconds.inc(seconds)
    this.#prompts.add(tokens, seconds)
  }
}

function createLlamaMetrics(registry: MetricRegistry) {
  return {
    promptTokens: registry.llamaCounter(
      "prompt_tokens_total",
      "Evaluated prompt tokens, without cached ones.",
    ),
    cachedTokens: registry.llamaCounter(
      "prompt_tokens_cached_total",
      "Prompt tokens taken from a cached prefix.",
    ),
    promptSeconds: registry.llamaCounter("prompt_seconds_total", "Time spent on prompts."),
    predictedTokens: registry.llamaCounter("tokens_predicted_total", "Generated tokens."),
    predictedSeconds: registry.llamaCounter("tokens_predicted_seconds_total", "Time spent on generation."),
    decodes: registry.llamaCounter("n_decode_total", "Decode steps."),
    mostTokens: registry.llamaCounter("n_tokens_max", "Tokens of the longest prompt with its answer."),
    draftTokens: registry.llamaCounter(
      "spec_decode_num_draft_tokens_total",
      "Guessed tokens that were checked.",
    ),
    draftTokensAccepted: registry.llamaCounter(
      "spec_decode_num_accepted_tokens_total",
      "Guessed tokens that were right.",
    ),
    drafts: registry.llamaCounter("spec_decode_num_drafts_total", "Guesses that were checked."),
    promptRate: registry.llamaGauge(
      "prompt_tokens_seconds",
      "Prompt tokens per second since the last scrape.",
    ),
    predictedRate: registry.llamaGauge(
      "predicted_tokens_seconds",
      "Generated tokens per second of an answer since the last scrape.",
    ),
    processing: registry.llamaGauge("requests_processing", "Requests that have a slot."),
    deferred: registry.llamaGauge("requests_deferred", "Requests in the queue."),
    busySlots: registry.llamaGauge("n_busy_slots_per_decode", "Sequences per decode step, on average."),
  }
}
