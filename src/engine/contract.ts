import type { AdapterChoice, UsableAdapter } from "../domain/adapters"
import type {
  ChatRequest,
  CompletionRequest,
  FinishReason,
  GenerationEvent,
  GenerationRequest,
  PartKind,
  RenderedPrompt,
  Timings,
  Usage,
} from "../domain/chat"
import type { Device } from "../domain/device"
import type { EmbeddingEvent, EmbeddingRequest, RerankRequest } from "../domain/embedding"
import type { ImageEvent, ImageRequest } from "../domain/media/image"
import type { LoadedModel } from "../domain/loaded-model"
import type { ModelDetails, ModelFacts, ModelKind, ModelSummary } from "../domain/model"
import type { WaitingEvent } from "../domain/request"
import type { ModelSettings } from "../domain/settings"
import type { SpeechEvent, SpeechRequest } from "../domain/media/speech"
import type { WorkRequest } from "../domain/tasks"
import type { SlotRequest, SlotResult } from "../domain/slots"
import type { TokensRequest, TokensResult } from "../domain/tokens"
import type { TranscriptionEvent, TranscriptionRequest } from "../domain/media/transcription"
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
  /** What models may still take: less than what is free, because of headroom or a limit. */
  readonly freeBytes: number
  readonly usedByModels: number
  /** What that may become if the loaded models' KV caches grow, as far as there is memory without unloading any. */
  readonly mostUsedByModels: number
  /** The configured limit for all models together; `null`: none. */
  readonly limitBytes: number | null
}

/** A model that is not loaded because its last load failed or its worker died. The next request tries again. */
export interface FailedModel {
  readonly name: string
  readonly kind: ModelKind
  /** Identifies this version of the model. */
  readonly id: string
  readonly error: XllmError
  readonly failedAt: Date
}

/** A snapshot of the server, taken without waiting. */
export interface EngineStatus {
  /**
   * `starting` until the preloaded models are ready; `loading` while any other model loads; `degraded` while
   * something that should run does not, see `problems`.
   */
  readonly status: "starting" | "ok" | "loading" | "degraded" | "stopping"
  /** The current problems, one sentence each; may be set under any status. */
  readonly problems: readonly string[]
  readonly queue: {
    readonly running: number
    readonly waiting: number
    /** How many requests may wait for each model. */
    readonly limit: number
    /** Models with at least one request. */
    readonly models: readonly QueueStatus[]
  }
  readonly memory: {
    readonly system: MemoryStatus
    /** GPUs by name; empty until they are known. */
    readonly gpus: readonly (MemoryStatus & { readonly name: string })[]
  }
  readonly models: readonly LoadedModel[]
  readonly failed: readonly FailedModel[]
  /** `null` until the backends were first queried. With GPUs the figures may be a few seconds old. */
  readonly devices: readonly Device[] | null
}

/** A model's context lengths, in tokens. */
export interface ContextLengths {
  /** The length it was trained with, as its file says. */
  readonly trained: number
  /** The length it is, or will be, loaded with. */
  readonly served: number
  /** Why that is shorter than the trained length, without having been set. */
  readonly limitedBy?: "memory"
}

/** The machine and the backends. */
export interface SystemReport {
  readonly devices: readonly Device[]
  readonly llamaVersion: string
  readonly gpuFallback: string | undefined
}

/** The events of a request, with the model that answers it. */
export interface Answering<E> extends AsyncIterable<E> {
  /** The model's resolved name; undefined until it is found, and where it does not exist. */
  readonly model: string | undefined
}

/** The events of a chat for its user; see {@link GenerationEvent}. A server does not report where parts begin and end. */
export type AnswerEvent =
  | WaitingEvent
  | { readonly type: "prompt"; readonly warnings?: readonly string[] }
  | { readonly type: "progress" }
  | { readonly type: "part-start" | "part-end"; readonly part: PartKind }
  | { readonly type: "delta"; readonly part: PartKind; readonly text: string }
  | { readonly type: "finish"; readonly reason: FinishReason }
  | { readonly type: "done"; readonly usage: Usage; readonly timings: Timings }

/** The same of speech. */
export type SpokenEvent =
  | WaitingEvent
  | { readonly type: "voice" }
  | { readonly type: "audio"; readonly bytes: Uint8Array }
  | Extract<SpeechEvent, { readonly type: "done" }>

/** The same of a transcription. `seconds`: undefined where only the server knows them. */
export type TranscribedEvent =
  | Exclude<TranscriptionEvent, { readonly type: "audio" }>
  | { readonly type: "audio"; readonly seconds?: number }

/**
 * The models of one place: those of the engine in this process, or those of a server. The command line uses models only
 * through it, so that both look the same to a user. Iterables fail with an XllmError; aborting the signal or leaving the
 * iteration ends the work.
 */
export interface ModelBackend {
  chat(request: ChatRequest, signal: AbortSignal): AsyncIterable<AnswerEvent>
  embed(request: EmbeddingRequest, signal: AbortSignal): AsyncIterable<EmbeddingEvent>
  speak(request: SpeechRequest, signal: AbortSignal): AsyncIterable<SpokenEvent>
  transcribe(request: TranscriptionRequest, signal: AbortSignal): AsyncIterable<TranscribedEvent>
  generateImage(request: ImageRequest, signal: AbortSignal): AsyncIterable<ImageEvent>
  /**
   * Loads a model ahead of use.
   * @param onProgress called with the fraction loaded, from 0 to 1
   */
  preload(model: string, signal: AbortSignal, onProgress?: (fraction: number) => void): Promise<void>
  /**
   * Ends a model's worker, or gives up a load that has not begun; its open requests fail with `ShuttingDown`. Resolves to
   * false where there was neither.
   * @throws ModelNotFound
   */
  stop(model: string): Promise<boolean>
  list(): Promise<readonly Pick<ModelSummary, "name" | "aliases">[]>
  /** @throws ModelNotFound */
  show(model: string): Promise<ModelFacts>
  /** The tokens that one conversation can have; undefined where unknown. @throws ModelNotFound */
  contextLength(model: string): Promise<number | undefined>
  /** Frees what belongs to this object; a server goes on. */
  close(): Promise<void>
}

/**
 * Inference as seen by the HTTP routes and the command line. Iterables fail with an XllmError; aborting the signal
 * or leaving the iteration frees the slot within one step (of decoding, synthesis, transcription or diffusion).
 */
export interface Engine extends ModelBackend {
  /** @throws ModelNotFound, WrongModelKind, QueueFull, ModelLoadFailed, ContextLengthExceeded, … from the iteration */
  chat(request: ChatRequest, signal: AbortSignal): Answering<GenerationEvent>
  complete(request: CompletionRequest, signal: AbortSignal): Answering<GenerationEvent>
  /** @throws WrongModelKind where the model reads no text, InputTooLong, QueueFull, … from the iteration */
  embed(request: EmbeddingRequest, signal: AbortSignal): Answering<EmbeddingEvent>
  /** @throws NoReranker where the model is no embedding model, Unsupported where it does not rank, … from the iteration */
  rerank(request: RerankRequest, signal: AbortSignal): Answering<EmbeddingEvent>
  /** @throws WrongModelKind where the model is not a tts model, ModelNotFound, QueueFull, … from the iteration */
  speak(request: SpeechRequest, signal: AbortSignal): Answering<SpeechEvent>
  /** @throws WrongModelKind where the model is not an asr model, ModelNotFound, QueueFull, … from the iteration */
  transcribe(request: TranscriptionRequest, signal: AbortSignal): Answering<TranscriptionEvent>
  /**
   * @throws WrongModelKind where the model is not an image model, ModelNotFound, QueueFull, … from the iteration
   */
  generateImage(request: ImageRequest, signal: AbortSignal): Answering<ImageEvent>
  /**
   * Returns the prompt, its tokens and the effective parameters without running them. Loads the model where needed.
   */
  render(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt>
  /**
   * The tokens of a text, or the text of tokens. Loads the model where needed.
   * @throws WrongModelKind where the model reads no text
   */
  tokens(request: TokensRequest, signal: AbortSignal): Promise<TokensResult>
  /**
   * Saves, restores or erases what a sequence of a text model has cached. Loads the model where needed.
   * @throws WrongModelKind, InvalidRequest where there is no such sequence, PromptsNotKept, SlotNotSaved, SlotNotRestored
   */
  slot(request: SlotRequest, signal: AbortSignal): Promise<SlotResult>
  /**
   * The model for a request: by name, or else the only one of the matching kind.
   * @throws ModelNotFound; InvalidRequest where none is named and there is not exactly one
   */
  resolve(model: string | undefined, request?: WorkRequest["kind"]): Promise<ModelSummary>
  /** Models on disk. */
  list(): Promise<readonly ModelSummary[]>
  /** @throws ModelNotFound */
  show(model: string): Promise<ModelDetails>
  /** The adapters that a model can use: requests name them, or give their places in this list. @throws ModelNotFound */
  adapters(model: string): Promise<readonly UsableAdapter[]>
  /**
   * Sets how strongly adapters are applied to the model's requests that name none, until the server ends. Those that are
   * left out are not applied.
   * @throws ModelNotFound, AdapterNotFound, InvalidRequest where one is for other models
   */
  setAdapters(model: string, choices: readonly AdapterChoice[]): Promise<void>
  /**
   * Context lengths of text models by name, for those that can be determined without a long wait. A model that is
   * not loaded yet may get less if memory is short.
   */
  contextLengths(models: readonly ModelSummary[]): Promise<ReadonlyMap<string, ContextLengths>>
  /** What a model is loaded with the next time. @throws ModelNotFound */
  settings(model: string): Promise<ModelSettings>
  /**
   * How long a loaded model stays, from now and after every request that does not say it itself, until it is unloaded.
   * 0: only while it is in use; `null`: for good.
   * @throws ModelNotFound
   */
  keep(model: string, seconds: number | null): Promise<void>
  /** Models with a worker. */
  loaded(): readonly LoadedModel[]
  status(): EngineStatus
  /** Queries the backends and waits for the answer: once, or again after a few seconds where there are GPUs. */
  system(): Promise<SystemReport>
  /** Ends every worker; open requests fail with `ShuttingDown`. */
  close(): Promise<void>
}

/** Upper bounds on the memory of models. */
export interface MemoryLimits {
  /** System memory for all models together, in bytes; absent: all of it. */
  readonly limitBytes?: number
  /** Memory for all models together on each GPU, in bytes; absent: all of it. */
  readonly gpuLimitBytes?: number
  /** How many models may be loaded at a time, not counting replicas. */
  readonly maxModels?: number
  /** Bytes left free in each memory. */
  readonly headroomBytes: number
}

/** The settings of a model: the user's where set, otherwise the model's own defaults. */
export type SettingsOf = (
  model: Pick<ModelSummary, "name" | "defaults"> & Partial<Pick<ModelSummary, "id">>,
) => ModelSettings

/** The options that can change while the engine runs. */
export interface LiveOptions {
  readonly memory: MemoryLimits
  /** How a model is loaded and kept; called once per version, and again after a change. */
  readonly settingsOf: SettingsOf
  /** How many requests may wait for one model. */
  readonly queueLimit: number
  /** How long a request may wait before it starts, in milliseconds; `null`: without limit. */
  readonly queueTimeoutMs: number | null
  /** Downloads a missing model; omit to disable. */
  readonly fetchMissing?: FetchMissing | undefined
}

/**
 * Downloads a model by name.
 * @param onProgress called with the fraction downloaded, from 0 to 1
 * @throws ModelNotFound where there is no such model to download, and the errors of downloads
 */
export type FetchMissing = (
  model: string,
  options: { readonly signal: AbortSignal; readonly onProgress: (fraction: number) => void },
) => Promise<void>

/** The engine plus lifecycle methods for its owner. */
export interface ManagedEngine extends Engine {
  /**
   * Loads the models whose settings say `preload`; resolves once each has loaded or failed. Never rejects: failures
   * are logged and shown in the status.
   */
  start(signal: AbortSignal): Promise<void>
  /**
   * Applies new options. Limits, queues, priorities and times apply at once; load settings apply from a model's
   * next load on. Returns the loaded models whose load settings differ now.
   */
  reconfigure(options: Partial<LiveOptions>): readonly string[]
  /**
   * Accepts nothing more, fails waiting requests with `ShuttingDown`, gives started ones up to `timeoutMs` to
   * finish, then closes.
   */
  drain(timeoutMs: number): Promise<void>
}
