import type { GenerationEvent } from "../domain/chat"
import type { EmbeddingEvent } from "../domain/embedding"
import { isGenerationKind, type MediaEvent, type WorkEvent, type WorkRequest } from "../domain/tasks"
import type { LlamaMetrics } from "./llama-metrics"
import { type MetricRegistry, WAITING } from "./registry"

/** A request of a model. Its identity tells it from others. */
export interface CountedRequest {
  readonly model: string
  readonly kind: WorkRequest["kind"]
}

type Done<E extends WorkEvent> = Extract<E, { readonly type: "done" }>

export type CountedOutcome = Done<WorkEvent> | { readonly type: "cancelled" | "failed" | "unserved" }

/** Bounds in seconds. */
const BETWEEN_TOKENS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 5]
const TOKENS_PER_SECOND = [1, 2, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000]

/** Requests to models. The methods are those of the engine's `EngineObserver`. */
export class RequestMetrics {
  readonly #metrics: ReturnType<typeof createRequestMetrics>
  readonly #llama: Pick<LlamaMetrics, "generated" | "embedded">
  /** Requests in progress: since when (`performance.now()`), and how many tokens they have. */
  readonly #open = new Map<CountedRequest, { readonly since: number; tokens: number }>()

  constructor(registry: MetricRegistry, llama: Pick<LlamaMetrics, "generated" | "embedded">) {
    this.#metrics = createRequestMetrics(registry)
    this.#llama = llama
  }

  requestQueued(request: CountedRequest): void {
    this.#open.set(request, { since: performance.now(), tokens: 0 })
  }

  requestStarted({ model }: CountedRequest, queueMs: number): void {
    this.#metrics.queueSeconds.observe({ model }, queueMs / 1000)
  }

  firstToken(request: CountedRequest, ms: number): void {
    this.#metrics.firstTokenSeconds.observe({ model: request.model }, ms / 1000)
    this.#count(request, 1)
  }

  firstAudio({ model }: CountedRequest, ms: number): void {
    this.#metrics.firstAudioSeconds.observe({ model }, ms / 1000)
  }

  nextTokens(request: CountedRequest, tokens: number, ms: number): void {
    if (tokens > 0) this.#metrics.tokenSeconds.add(request.model, ms / 1000 / tokens, tokens)
    this.#count(request, tokens)
  }

  toolCall({ model }: CountedRequest): void {
    this.#metrics.toolCalls.inc({ model })
  }

  requestFinished(request: CountedRequest, outcome: CountedOutcome): void {
    const { model } = request
    const open = this.#open.get(request)
    this.#open.delete(request)
    this.#countRequest(request, outcome.type)
    if (outcome.type !== "done") {
      if (isText(request)) this.#metrics.generatedTokens.inc({ model }, open?.tokens ?? 0)
      return
    }
    const seconds = open === undefined ? undefined : (performance.now() - open.since) / 1000
    if (seconds !== undefined) this.#metrics.requestSeconds.observe({ kind: request.kind }, seconds)
    if (isEmbedding(outcome)) return this.#countEmbedding(model, outcome)
    if (!isGeneration(outcome)) return this.#countMedia(model, outcome)
    if (seconds !== undefined) this.#metrics.generationSeconds.observe({ model }, seconds)
    this.#countGeneration(model, outcome)
  }

  requestRefused(request: CountedRequest): void {
    this.#countRequest(request, "refused")
  }

  #countRequest(request: CountedRequest, outcome: string): void {
    const { model, kind } = request
    this.#metrics.requests.inc({ model, kind, outcome })
    if (isText(request)) this.#metrics.generations.inc({ model, outcome })
  }

  #countEmbedding(model: string, done: Done<EmbeddingEvent>): void {
    const { usage } = done
    this.#llama.embedded(done)
    this.#metrics.embeddedTexts.inc({ model }, usage.inputs)
    this.#metrics.embeddedTokens.inc({ model }, usage.inputTokens)
  }

  #countMedia(model: string, { usage, timings }: Done<MediaEvent>): void {
    this.#metrics.mediaSeconds.inc({ model }, timings.workMs / 1000)
    if ("images" in usage) {
      this.#metrics.images.inc({ model }, usage.images)
      this.#metrics.imageSteps.inc({ model }, usage.steps)
    } else if ("characters" in usage) {
      this.#metrics.spokenCharacters.inc({ model }, usage.characters)
      this.#metrics.spokenSeconds.inc({ model }, usage.audioSeconds)
    } else {
      this.#metrics.heardSeconds.inc({ model }, usage.audioSeconds)
    }
  }

  #countGeneration(model: string, done: Done<GenerationEvent>): void {
    const { usage, timings } = done
    this.#llama.generated(done)
    this.#metrics.promptTokens.inc({ model }, usage.promptTokens)
    this.#metrics.cachedTokens.inc({ model }, usage.cachedTokens)
    this.#metrics.generatedTokens.inc({ model }, usage.completionTokens)
    if (usage.reasoningTokens !== undefined)
      this.#metrics.reasoningTokens.inc({ model }, usage.reasoningTokens)
    const paidFor = timings.generatedTokens - 1
    if (paidFor > 0 && timings.generationMs > 0) {
      this.#metrics.tokenRate.observe({ model }, (paidFor * 1000) / timings.generationMs)
    }
  }

  #count(request: CountedRequest, tokens: number): void {
    const open = this.#open.get(request)
    if (open !== undefined) open.tokens += tokens
  }
}

function createRequestMetrics(registry: MetricRegistry) {
  return {
    requests: registry.counter(
      "requests_total",
      "Finished requests to models, by kind (chat, completion, embedding, rerank, speech, transcription, image) and outcome.",
      ["model", "kind", "outcome"],
    ),
    requestSeconds: registry.histogram(
      "request_duration_seconds",
      "From a request's arrival to its end, for completed requests.",
      "kind",
      WAITING,
    ),
    generations: registry.counter(
      "generations_total",
      "Finished text generations by outcome: done, cancelled, failed, unserved (never started) or refused (queue full).",
      ["model", "outcome"],
    ),
    queueSeconds: registry.histogram(
      "queue_wait_seconds",
      "Time in the queue, without loading the model.",
      "model",
      WAITING,
    ),
    firstTokenSeconds: registry.histogram(
      "time_to_first_token_seconds",
      "From a request's arrival to its first token.",
      "model",
      WAITING,
    ),
    tokenSeconds: registry.bulk(
      "inter_token_seconds",
      "Time per output token within an answer.",
      BETWEEN_TOKENS,
    ),
    generationSeconds: registry.histogram(
      "generation_duration_seconds",
      "From a request's arrival to its end, for completed requests.",
      "model",
      WAITING,
    ),
    promptTokens: registry.counter(
      "prompt_tokens_total",
      "Prompt tokens of answered requests, including cached ones.",
      ["model"],
    ),
    cachedTokens: registry.counter(
      "cached_prompt_tokens_total",
      "Prompt tokens taken from a cached prefix.",
      ["model"],
    ),
    generatedTokens: registry.counter(
      "generated_tokens_total",
      "Generated tokens, including cancelled and failed requests.",
      ["model"],
    ),
    reasoningTokens: registry.counter(
      "reasoning_tokens_total",
      "Generated tokens of answered requests that are thinking.",
      ["model"],
    ),
    toolCalls: registry.counter("tool_calls_total", "Tool calls that models began.", ["model"]),
    tokenRate: registry.histogram(
      "tokens_per_second",
      "Generation rate per answered request, without the first token.",
      "model",
      TOKENS_PER_SECOND,
    ),
    embeddedTexts: registry.counter(
      "embedded_texts_total",
      "Texts embedded, and documents ranked, by completed requests.",
      ["model"],
    ),
    embeddedTokens: registry.counter(
      "embedded_tokens_total",
      "Tokens of those texts, each document's with its query's.",
      ["model"],
    ),
    firstAudioSeconds: registry.histogram(
      "time_to_first_audio_seconds",
      "From a request's arrival to its first audio.",
      "model",
      WAITING,
    ),
    spokenCharacters: registry.counter(
      "speech_characters_total",
      "Characters synthesized by completed requests.",
      ["model"],
    ),
    spokenSeconds: registry.counter(
      "speech_audio_seconds_total",
      "Audio synthesized by completed requests.",
      ["model"],
    ),
    heardSeconds: registry.counter(
      "transcription_audio_seconds_total",
      "Audio transcribed by completed requests.",
      ["model"],
    ),
    images: registry.counter("images_total", "Images generated by completed requests.", ["model"]),
    imageSteps: registry.counter("image_steps_total", "Diffusion steps of completed requests.", ["model"]),
    mediaSeconds: registry.counter(
      "media_work_seconds_total",
      "Worker time spent on speech, transcription and images by completed requests.",
      ["model"],
    ),
  }
}

function isText({ kind }: CountedRequest): boolean {
  return isGenerationKind(kind)
}

function isEmbedding(done: Done<WorkEvent>): done is Done<EmbeddingEvent> {
  return "inputTokens" in done.usage
}

function isGeneration(done: Done<WorkEvent>): done is Done<GenerationEvent> {
  return "promptTokens" in done.usage
}
