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

/** What the server is doing, without waiting for anything. */
export interface EngineStatus {
  /** `loading` while any model loads. */
  readonly status: "ok" | "loading" | "stopping"
  readonly models: readonly LoadedModel[]
  /** `null` until the backends have been asked for the first time. */
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
  /** Asks the backends (once) and waits for their answer. */
  system(): Promise<SystemReport>
  /** Ends every worker; open requests fail with `Stopping`. */
  close(): Promise<void>
}
