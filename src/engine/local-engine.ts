import type {
  ChatRequest,
  CompletionRequest,
  GenerationEvent,
  GenerationRequest,
  LoadedModel,
  ModelDetails,
  ModelSummary,
  RenderedPrompt,
  TextModelSettings,
} from "../domain"
import { asXllmError, Cancelled, Stopping } from "../errors"
import { systemMemory } from "../lib/system-memory"
import type { Logger } from "../log/logger"
import type { Store } from "../store/contract"
import type { Engine, EngineStatus, SystemReport } from "./contract"
import { DeviceProbe } from "./device-probe"
import { Generation } from "./generation"
import { DEFAULT_LIMITS, DEFAULT_QUEUE_LIMIT, type EngineLimits } from "./limits"
import type { EngineObserver } from "./observer"
import { TextModel } from "./text-model"

export interface EngineOptions {
  readonly store: Store
  /** What every model is loaded with. */
  readonly settings: TextModelSettings
  /** Folder for extracted native components (`~/.xllm/runtime`). */
  readonly runtimeFolder: string
  /** The command line that starts a worker of a kind. */
  readonly workerCommand: (kind: "text" | "probe") => readonly string[]
  /** What differs from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<EngineLimits>
  /** How many requests may wait for one model; absent: `DEFAULT_QUEUE_LIMIT`. */
  readonly queueLimit?: number
  /** Absent: nobody counts. */
  readonly observer?: EngineObserver
  readonly log: Logger
}

/** An engine whose workers are processes on this machine. */
export class LocalEngine implements Engine {
  readonly #options: EngineOptions
  readonly #limits: EngineLimits
  readonly #probe: DeviceProbe
  /** By name; every model that was used once, with a worker or without. */
  readonly #models = new Map<string, TextModel>()
  #closing: Promise<void> | undefined

  constructor(options: EngineOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#probe = new DeviceProbe({
      runtimeFolder: options.runtimeFolder,
      command: options.workerCommand("probe"),
      useGpu: options.settings.gpuLayers !== 0,
      limits: this.#limits,
      log: options.log,
    })
  }

  chat(request: ChatRequest, signal: AbortSignal): AsyncIterable<GenerationEvent> {
    return this.#generate(request, signal)
  }

  complete(request: CompletionRequest, signal: AbortSignal): AsyncIterable<GenerationEvent> {
    return this.#generate(request, signal)
  }

  async render(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt> {
    const model = await this.#find(request.model)
    return model.render(request, signal)
  }

  async preload(name: string, signal: AbortSignal): Promise<void> {
    const model = await this.#find(name)
    if (signal.aborted) throw new Cancelled()
    await model.preload(signal)
  }

  async stop(name: string): Promise<boolean> {
    const known = this.#models.get(name) ?? this.#models.get((await this.#options.store.resolve(name)).name)
    return known === undefined ? false : known.stop()
  }

  list(): Promise<readonly ModelSummary[]> {
    return this.#options.store.list()
  }

  show(model: string): Promise<ModelDetails> {
    return this.#options.store.describe(model)
  }

  loaded(): readonly LoadedModel[] {
    return [...this.#models.values()].flatMap((model) => model.describe() ?? [])
  }

  status(): EngineStatus {
    const models = this.loaded()
    const loading = models.some((model) => model.state === "loading")
    const queues = models.map(({ name, activeRequests, queuedRequests }) => ({
      model: name,
      running: activeRequests,
      waiting: queuedRequests,
    }))
    const { totalBytes, availableBytes } = systemMemory()
    return {
      status: this.#closing !== undefined ? "stopping" : loading ? "loading" : "ok",
      problems: [],
      queue: {
        running: queues.reduce((sum, { running }) => sum + running, 0),
        waiting: queues.reduce((sum, { waiting }) => sum + waiting, 0),
        limit: this.#options.queueLimit ?? DEFAULT_QUEUE_LIMIT,
        models: queues.filter(({ running, waiting }) => running + waiting > 0),
      },
      memory: {
        system: {
          totalBytes,
          freeBytes: availableBytes,
          usedByModels: models.reduce((sum, { info }) => sum + (info?.footprint.ramBytes ?? 0), 0),
          limitBytes: null,
        },
        gpus: [],
      },
      models,
      devices: this.#probe.peek()?.devices ?? null,
    }
  }

  system(): Promise<SystemReport> {
    return this.#probe.report()
  }

  close(): Promise<void> {
    this.#closing ??= this.#endAll()
    return this.#closing
  }

  async #endAll(): Promise<void> {
    const stops = [...this.#models.values()].map((model) => model.stop())
    await Promise.all([this.#probe.close(), ...stops])
  }

  #generate(request: GenerationRequest, signal: AbortSignal): AsyncIterable<GenerationEvent> {
    return new Generation(request, signal, (generation) => void this.#begin(generation))
  }

  async #begin(generation: Generation): Promise<void> {
    try {
      const model = await this.#find(generation.request.model)
      if (!generation.over) model.join(generation)
    } catch (error) {
      generation.fail(asXllmError(error))
    }
  }

  /** @throws ModelNotFound, Stopping */
  async #find(name: string | undefined): Promise<TextModel> {
    this.#refuseWhenClosing()
    const summary = await this.#options.store.resolve(name)
    this.#refuseWhenClosing()
    const known = this.#models.get(summary.name)
    if (known !== undefined) {
      known.update(summary)
      return known
    }
    const { settings, runtimeFolder, workerCommand, log } = this.#options
    const model = new TextModel(summary, {
      settings,
      runtimeFolder,
      command: workerCommand("text"),
      limits: this.#limits,
      queueLimit: this.#options.queueLimit ?? DEFAULT_QUEUE_LIMIT,
      log,
    })
    this.#models.set(summary.name, model)
    return model
  }

  #refuseWhenClosing(): void {
    if (this.#closing !== undefined) throw new Stopping("the server")
  }
}
