import type {
  ChatRequest,
  CompletionRequest,
  GenerationEvent,
  GenerationRequest,
  RenderedPrompt,
} from "../domain/chat"
import type { Device } from "../domain/device"
import type { ImageEvent, ImageRequest } from "../domain/image"
import type { LoadedModel } from "../domain/loaded-model"
import type { ModelDetails, ModelKind, ModelSummary } from "../domain/model"
import type { ModelSettings } from "../domain/settings"
import type { SpeechEvent, SpeechRequest } from "../domain/speech"
import type { WorkRequest } from "../domain/tasks"
import type { TranscriptionEvent, TranscriptionRequest } from "../domain/transcription"
import type { XllmError } from "../errors/base"

/** The requests of one model. */
export interface QueueStatus {
  readonly model: string
  readonly running: number
  readonly waiting: number
}

/** Memory in bytes, and how much of it models hold. */
export interface MemoryStatus {
  readonly totalBytes: number
  /** What models may still take: less than is free where head-room or a limit says so. */
  readonly freeBytes: number
  readonly usedByModels: number
  /** The limit that was set for all models together; `null`: none. */
  readonly limitBytes: number | null
}

/** A model whose last load failed, or whose worker died, and that nothing is loaded of now. The next request tries again. */
export interface FailedModel {
  readonly name: string
  readonly kind: ModelKind
  /** Of this version of the model. */
  readonly id: string
  readonly error: XllmError
  readonly failedAt: Date
}

/** What the server is doing, without waiting for anything. */
export interface EngineStatus {
  /**
   * `starting` until the models that are loaded at the start are there; `loading` while any other model loads;
   * `degraded` while something that should run does not, see `problems`.
   */
  readonly status: "starting" | "ok" | "loading" | "degraded" | "stopping"
  /** What is amiss, one sentence each; also while the status is another one. */
  readonly problems: readonly string[]
  readonly queue: {
    readonly running: number
    readonly waiting: number
    /** How many may wait for each model. */
    readonly limit: number
    /** Models that have any request. */
    readonly models: readonly QueueStatus[]
  }
  readonly memory: {
    readonly system: MemoryStatus
    /** GPUs by their names; empty until they are known. */
    readonly gpus: readonly (MemoryStatus & { readonly name: string })[]
  }
  readonly models: readonly LoadedModel[]
  readonly failed: readonly FailedModel[]
  /** `null` until the backends have been asked for the first time. With GPUs the figures are a few seconds old. */
  readonly devices: readonly Device[] | null
}

/** The longest conversation with a model, in tokens. */
export interface ContextLengths {
  /** In its training, as its file says. */
  readonly trained: number
  /** Here: as it is loaded, or as it will be. */
  readonly served: number
}

/** What the machine and the backends are. */
export interface SystemReport {
  readonly devices: readonly Device[]
  readonly llamaVersion: string
  readonly gpuFallback: string | undefined
}

/** Events of a request, and whose they are. */
export interface Answering<E> extends AsyncIterable<E> {
  /** What the engine calls the model; undefined before it is found, and where it is not. */
  readonly model: string | undefined
}

/**
 * What the HTTP routes and the command line see of inference. Iterables fail with an XllmError; aborting the signal
 * or leaving the iteration gives the slot back within one step (of decoding, speaking, listening or drawing).
 */
export interface Engine {
  /** @throws ModelNotFound, WrongModelKind, QueueFull, ModelLoadFailed, ContextLengthExceeded, … from the iteration */
  chat(request: ChatRequest, signal: AbortSignal): Answering<GenerationEvent>
  complete(request: CompletionRequest, signal: AbortSignal): Answering<GenerationEvent>
  /** @throws WrongModelKind where the model is no voice, ModelNotFound, QueueFull, … from the iteration */
  speak(request: SpeechRequest, signal: AbortSignal): Answering<SpeechEvent>
  /** @throws WrongModelKind where the model is no recogniser, ModelNotFound, QueueFull, … from the iteration */
  transcribe(request: TranscriptionRequest, signal: AbortSignal): Answering<TranscriptionEvent>
  /** @throws WrongModelKind where the model is no painter, ModelNotFound, QueueFull, … from the iteration */
  draw(request: ImageRequest, signal: AbortSignal): Answering<ImageEvent>
  /** The prompt, its tokens and the effective parameters, without running it. Loads the model where needed. */
  render(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt>
  /** Loads a model ahead of use. */
  preload(model: string, signal: AbortSignal): Promise<void>
  /**
   * Ends a model's worker; its open requests fail with `ShuttingDown`. Resolves to false where it was not loaded.
   * @throws ModelNotFound
   */
  stop(model: string): Promise<boolean>
  /**
   * The model that a request means: the one of that name, or the only one that can do what is asked.
   * @throws ModelNotFound; InvalidRequest where none is named and there is not exactly one
   */
  resolve(model: string | undefined, request?: WorkRequest["kind"]): Promise<ModelSummary>
  /** Models on disk. */
  list(): Promise<readonly ModelSummary[]>
  /** @throws ModelNotFound */
  show(model: string): Promise<ModelDetails>
  /**
   * How long conversations of these models may be, by name: of text models, as far as it is known without a long wait.
   * Where memory turns out to be short, a model that is not loaded yet may get less.
   */
  contextLengths(models: readonly ModelSummary[]): Promise<ReadonlyMap<string, ContextLengths>>
  /** Models that have a worker. */
  loaded(): readonly LoadedModel[]
  status(): EngineStatus
  /** Asks the backends and waits for their answer: once, or anew after a few seconds where there are GPUs. */
  system(): Promise<SystemReport>
  /** Ends every worker; open requests fail with `ShuttingDown`. */
  close(): Promise<void>
}

/** The most memory that models may take. */
export interface MemoryLimits {
  /** System memory of all models together, in bytes; absent: what the machine has. */
  readonly limitBytes?: number
  /** Memory of each GPU that all models together may take, in bytes; absent: what it has. */
  readonly gpuLimitBytes?: number
  /** The most models that may be loaded at a time, replicas not counted. */
  readonly maxModels?: number
  /** Bytes of each memory that are left free. */
  readonly headroomBytes: number
}

/** What was set for a model, and where nobody has set anything, what the model brings along. */
export type SettingsOf = (model: Pick<ModelSummary, "name" | "defaults">) => ModelSettings

/** What of an engine can change while it runs. */
export interface LiveOptions {
  readonly memory: MemoryLimits
  /** What a model is loaded with and how it is kept; asked once for each version, and again after a change. */
  readonly settingsOf: SettingsOf
  /** How many requests may wait for one model. */
  readonly queueLimit: number
  /** The longest that a request may wait before it starts, in milliseconds; `null`: for ever. */
  readonly queueTimeoutMs: number | null
  /** Gets a model that is asked for and not there; absent: nobody does. */
  readonly fetchMissing?: FetchMissing | undefined
}

/**
 * Gets a model of that name.
 * @param onProgress how much of it is there, from 0 to 1
 * @throws ModelNotFound where it cannot be had, and what downloads fail with
 */
export type FetchMissing = (
  model: string,
  options: { readonly signal: AbortSignal; readonly onProgress: (fraction: number) => void },
) => Promise<void>

/** The engine as the one sees it who made it. */
export interface ManagedEngine extends Engine {
  /**
   * Loads the models whose settings say `preload`; resolves when each is loaded or has failed. Never rejects: what
   * failed is in the log and in the status.
   */
  start(signal: AbortSignal): Promise<void>
  /**
   * Takes new options over. Limits, queues, priorities and times apply at once; with what a model is loaded, from its
   * next load on. Returns the loaded models that will differ then.
   */
  reconfigure(options: Partial<LiveOptions>): readonly string[]
  /**
   * Takes nothing more, fails what waits with `ShuttingDown`, lets what has started finish for at most `timeoutMs`, then
   * closes.
   */
  drain(timeoutMs: number): Promise<void>
}
