import type {
  ChatRequest,
  CompletionRequest,
  Device,
  GenerationEvent,
  GenerationRequest,
  LoadedModel,
  ModelDetails,
  ModelSummary,
  RenderedPrompt,
} from "../domain"

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
  /** `null` until the backends have been asked for the first time. With GPUs the figures are a few seconds old. */
  readonly devices: readonly Device[] | null
}

/** What the machine and the backends are. */
export interface SystemReport {
  readonly devices: readonly Device[]
  readonly llamaVersion: string
  readonly gpuFallback: string | undefined
}

/**
 * What the HTTP routes and the command line see of inference. Iterables fail with an XllmError; aborting the signal
 * or leaving the iteration gives the slot back within one decode step.
 */
export interface Engine {
  /** @throws ModelNotFound, QueueFull, ModelLoadFailed, ContextLengthExceeded, … from the iteration */
  chat(request: ChatRequest, signal: AbortSignal): AsyncIterable<GenerationEvent>
  complete(request: CompletionRequest, signal: AbortSignal): AsyncIterable<GenerationEvent>
  /** The prompt, its tokens and the effective parameters, without running it. Loads the model where needed. */
  render(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt>
  /** Loads a model ahead of use. */
  preload(model: string, signal: AbortSignal): Promise<void>
  /**
   * Ends a model's worker; its open requests fail with `Stopping`. Resolves to false where it was not loaded.
   * @throws ModelNotFound
   */
  stop(model: string): Promise<boolean>
  /** Models on disk. */
  list(): Promise<readonly ModelSummary[]>
  /** @throws ModelNotFound */
  show(model: string): Promise<ModelDetails>
  /** Models that have a worker. */
  loaded(): readonly LoadedModel[]
  status(): EngineStatus
  /** Asks the backends and waits for their answer: once, or anew after a few seconds where there are GPUs. */
  system(): Promise<SystemReport>
  /** Ends every worker; open requests fail with `Stopping`. */
  close(): Promise<void>
}
