import type { Timings, Usage } from "../../domain/chat"
import type { Tool } from "../../domain/tools"
import type { NativeGrammar } from "../../llama/grammar"
import type { HeldAdapters } from "./adapters/adapter-shelf"
import type { ReadPrompt } from "./cache/disk/saved-prompts"
import type { PreparedRequest } from "./prompt/prepared"
import { Sequence } from "./sequence"

export interface RunningRequestInput {
  readonly id: number
  readonly prepared: PreparedRequest
  readonly queueMs: number
  readonly loadMs: number
  /** Time at which the prompt was ready, in ms. */
  readonly startedAt: number
  /** Taken over: the grammar that each choice begins with a copy of. */
  readonly grammar?: NativeGrammar | undefined
  /** The state of its first tokens. */
  readonly saved?: ReadPrompt | undefined
  /** Taken over. */
  readonly adapters: HeldAdapters
}

/** A request that is ready to decode: its choices and their timings. */
export class RunningRequest implements Disposable {
  readonly id: number
  readonly prepared: PreparedRequest
  readonly sequences: readonly Sequence[]
  readonly grammar: NativeGrammar | undefined
  /** Its sequences are computed with them. */
  readonly adapters: HeldAdapters
  /** Those that its answers may call. */
  readonly tools: readonly Tool[]
  cachedTokens = 0
  promptTokensEvaluated = 0
  /** Guessed tokens that were checked, and those of them that were right. */
  drafted = 0
  accepted = 0
  /** What was read from disk. */
  disk: Timings["disk"]
  readonly #queueMs: number
  readonly #loadMs: number
  readonly #startedAt: number
  #promptDoneAt: number | undefined
  #ended: AbortController | undefined

  constructor(input: RunningRequestInput) {
    this.id = input.id
    this.prepared = input.prepared
    this.grammar = input.grammar
    this.adapters = input.adapters
    this.tools = JSON.parse(input.prepared.answer?.calls?.tools ?? "[]") as readonly Tool[]
    this.#queueMs = input.queueMs
    this.#loadMs = input.loadMs
    this.#startedAt = input.startedAt
    this.sequences = Array.from({ length: input.prepared.choices }, (_, choice) => new Sequence(this, choice))
    const [first, ...others] = this.sequences
    if (first !== undefined) first.saved = input.saved
    // The log probabilities of the prompt are sent first, with the first choice.
    if (first !== undefined && input.prepared.scoresPrompt)
      for (const other of others) other.leader = { sequence: first, length: input.prepared.tokens.length }
  }

  get finished(): boolean {
    return this.sequences.every((sequence) => sequence.finished)
  }

  /** Aborted when it has ended. */
  get signal(): AbortSignal {
    return (this.#ended ??= new AbortController()).signal
  }

  /** Milliseconds since the prompt was ready. */
  elapsed(now: number): number {
    return now - this.#startedAt
  }

  /** Called when the first choice has its first token. */
  promptDone(now: number): void {
    this.#promptDoneAt ??= now
  }

  /** How long the prompt took, in ms; undefined before it is done. */
  get promptMs(): number | undefined {
    return this.#promptDoneAt === undefined ? undefined : this.#promptDoneAt - this.#startedAt
  }

  /** Milliseconds since the first choice had its first token. */
  generationMs(now: number): number {
    return now - (this.#promptDoneAt ?? now)
  }

  usage(): Usage {
    return {
      promptTokens: this.prepared.tokens.length,
      completionTokens: this.#generated(),
      cachedTokens: this.cachedTokens,
      ...(this.prepared.answer?.reasoning !== undefined && { reasoningTokens: this.#reasoningTokens() }),
      ...(this.prepared.prediction !== undefined && {
        prediction: this.#predicted(this.prepared.prediction),
      }),
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
      generationMs: this.generationMs(now),
      ...(this.drafted > 0 && { drafts: { tokens: this.drafted, accepted: this.accepted } }),
      ...(this.disk !== undefined && { disk: this.disk }),
    }
  }

  /** Call when it has ended. */
  [Symbol.dispose](): void {
    this.grammar?.[Symbol.dispose]()
    this.adapters[Symbol.dispose]()
    this.#ended?.abort()
  }

  #reasoningTokens(): number {
    return this.sequences.reduce((sum, sequence) => sum + sequence.reasoningTokens, 0)
  }

  #predicted({ length }: Int32Array): NonNullable<Usage["prediction"]> {
    const accepted = this.sequences.reduce((sum, { stream }) => sum + (stream?.predicted ?? 0), 0)
    return { accepted, rejected: Math.max(0, length * this.sequences.length - accepted) }
  }

  #generated(): number {
    return this.sequences.reduce((sum, sequence) => sum + sequence.generated, 0)
  }
}
