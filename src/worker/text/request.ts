import type { GenerationRequest, SamplingParameters, Timings, Usage } from "../../domain"
import type { BuiltPrompt } from "./prompt-messages"
import type { Sequence } from "./sequence"

export interface RunningRequestInput {
  readonly id: number
  readonly request: GenerationRequest
  readonly prompt: BuiltPrompt
  readonly sampling: SamplingParameters
  readonly contextLength: number
  readonly queueMs: number
  readonly loadMs: number
  /** When its prompt was ready, in ms. */
  readonly startedAt: number
  /** What the client is to know about how its prompt was made; one sentence each. */
  readonly warnings: readonly string[]
}

/** A request whose prompt is built: its choices, and what they cost. */
export class RunningRequest {
  readonly id: number
  readonly request: GenerationRequest
  readonly prompt: BuiltPrompt
  readonly sampling: SamplingParameters
  readonly maxTokens: number
  readonly stopTokens: ReadonlySet<number>
  readonly warnings: readonly string[]
  readonly sequences: Sequence[] = []
  cachedTokens = 0
  promptTokensEvaluated = 0
  readonly #queueMs: number
  readonly #loadMs: number
  readonly #startedAt: number
  #promptDoneAt: number | undefined

  constructor(input: RunningRequestInput) {
    this.id = input.id
    this.request = input.request
    this.prompt = input.prompt
    this.sampling = input.sampling
    this.stopTokens = new Set(input.request.stopTokens)
    this.warnings = input.warnings
    this.#queueMs = input.queueMs
    this.#loadMs = input.loadMs
    this.#startedAt = input.startedAt
    this.maxTokens = mostTokens(input.request, input.prompt.tokens.length, input.contextLength)
  }

  /** Are log probabilities of the prompt itself wanted? Then all of it is evaluated. */
  get wantsPromptLogprobs(): boolean {
    const { request } = this
    return request.kind === "completion" && request.echo && request.topLogprobs !== undefined
  }

  /** The request's field that the prompt came from. */
  get textField(): "messages" | "prompt" {
    return textField(this.request)
  }

  get usesCache(): boolean {
    return this.request.cachePrompt && !this.wantsPromptLogprobs
  }

  get finished(): boolean {
    return this.sequences.every((sequence) => sequence.finished)
  }

  /** Milliseconds since the prompt was ready. */
  elapsed(now: number): number {
    return now - this.#startedAt
  }

  /** The first choice has its first token. */
  promptDone(now: number): void {
    this.#promptDoneAt ??= now
  }

  usage(): Usage {
    return {
      promptTokens: this.prompt.tokens.length,
      completionTokens: this.#generated(),
      cachedTokens: this.cachedTokens,
    }
  }

  timings(now: number): Timings {
    const promptDoneAt = this.#promptDoneAt ?? now
    return {
      queueMs: this.#queueMs,
      loadMs: this.#loadMs,
      promptTokens: this.promptTokensEvaluated,
      promptMs: promptDoneAt - this.#startedAt,
      generatedTokens: this.#generated(),
      generationMs: now - promptDoneAt,
    }
  }

  #generated(): number {
    return this.sequences.reduce((sum, sequence) => sum + sequence.generated, 0)
  }
}

/** What a request may generate at most: its own limit, or up to the end of the context. */
export function mostTokens(request: GenerationRequest, promptTokens: number, contextLength: number): number {
  return Math.min(
    request.maxTokens ?? Number.POSITIVE_INFINITY,
    Math.max(0, contextLength - promptTokens + 1),
  )
}

/** The field of a request that its prompt comes from, as clients know it. */
export function textField(request: GenerationRequest): "messages" | "prompt" {
  return request.kind === "chat" ? "messages" : "prompt"
}
