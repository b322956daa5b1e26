import type { AdapterChoice, UsableAdapter } from "../domain/adapters"
import type {
  ChatRequest,
  CompletionRequest,
  GenerationEvent,
  GenerationRequest,
  RenderedPrompt,
} from "../domain/chat"
import type { Device } from "../domain/device"
import type { EmbeddingEvent, EmbeddingRequest, RerankRequest } from "../domain/embedding"
import type { ImageEvent, ImageRequest } from "../domain/media/image"
import type { LoadedModel } from "../domain/loaded-model"
import { isGguf, type ModelDetails, type ModelKind, type ModelSummary } from "../domain/model"
import type { SpeechEvent, SpeechRequest } from "../domain/media/speech"
import { taskOf, type WorkEvent, type WorkRequest } from "../domain/tasks"
import type { ModelSettings } from "../domain/settings"
import type { SlotRequest, SlotResult } from "../domain/slots"
import type { TokensRequest, TokensResult } from "../domain/tokens"
import type { TranscriptionEvent, TranscriptionRequest } from "../domain/media/transcription"
import { asXllmError, XllmError } from "../errors/base"
import { ShuttingDown } from "../errors/engine"
import { ModelCorrupt, type ModelDamage, ModelNotFound, WrongModelKind } from "../errors/model"
import { Cancelled } from "../errors/request"
import type { Logger } from "../log/logger"
import type { Catalog } from "../store/contract"
import type {
  Answering,
  ContextLengths,
  EngineStatus,
  FetchMissing,
  LiveOptions,
  ManagedEngine,
  MemoryLimits,
  SettingsOf,
  SystemReport,
} from "./contract"
import type { EngineObserver } from "./observer"
import { DeviceProbe } from "./process/device-probe"
import {
  DEFAULT_HEADROOM_BYTES,
  DEFAULT_QUEUE_LIMIT,
  DEFAULT_TIMEOUTS,
  type Timeouts,
  timeoutsOf,
} from "./process/timeouts"
import { MemoryReader } from "./residency/memory-reader"
import type { Pool } from "./residency/pool"
import { createPool } from "./residency/create-pool"
import { ContextReader } from "./serving/context-lengths"
import { refuseUnperceived } from "./model-senses"
import { ModelAdapters } from "./model-adapters"
import { ModelDirectory } from "./serving/model-directory"
import { ModelServer } from "./serving/model-server"
import { RequestStream } from "./serving/request-stream"

export interface EngineOptions {
  readonly store: Catalog
  /** See {@link LiveOptions.settingsOf}. */
  readonly settingsOf: SettingsOf
  /** Folder for extracted native components (`~/.xllm/runtime`). */
  readonly runtimeFolder: string
  /** Each version of a model has a folder below this one, named by its id, for files derived from its own. */
  readonly derivedFolder: string
  /** The command line that starts a worker of a kind. */
  readonly workerCommand: (kind: ModelKind | "probe") => readonly string[]
  /** Overrides of `DEFAULT_TIMEOUTS`, for workers of every kind. */
  readonly limits?: Partial<Timeouts>
  /** Absent: models may use all memory but some headroom. */
  readonly memory?: MemoryLimits
  /** How many requests may wait for one model; absent: `DEFAULT_QUEUE_LIMIT`. */
  readonly queueLimit?: number
  /** How long a request may wait before it starts, in milliseconds; absent or `null`: without limit. */
  readonly queueTimeoutMs?: number | null
  /** Whether to load GPU backends to query devices; absent: yes. */
  readonly useGpu?: boolean
  /** Plan for these GPUs instead of the real ones; everything is then computed on the CPU. */
  readonly simulatedDevices?: readonly Device[]
  /** Looks for a model's damaged files; omit to disable the check. */
  readonly findDamage?: (model: string) => Promise<ModelDamage>
  /** See {@link LiveOptions.fetchMissing}. */
  readonly fetchMissing?: FetchMissing | undefined
  /** Callbacks for metrics. */
  readonly observer?: EngineObserver
  readonly log: Logger
}

/** Error codes of failed loads that damaged files may explain. */
const LOAD_FAILURES: ReadonlySet<string> = new Set(["model_load_failed", "invalid_model_file"])

/** An engine whose workers are processes on this machine. */
export class LocalEngine implements ManagedEngine {
  readonly #options: EngineOptions
  readonly #probe: DeviceProbe
  readonly #memory: MemoryReader
  readonly #contexts: ContextReader
  readonly #pool: Pool
  readonly #models: ModelDirectory
  readonly #adapters: ModelAdapters
  #live: LiveOptions
  #starting = false
  #draining: PromiseWithResolvers<void> | undefined
  #closing: Promise<void> | undefined
  /** When everything is to have ended; `performance.now()`. */
  #endsAt = Number.POSITIVE_INFINITY

  constructor(options: EngineOptions) {
    this.#options = options
    this.#live = {
      memory: options.memory ?? { headroomBytes: DEFAULT_HEADROOM_BYTES },
      settingsOf: options.settingsOf,
      queueLimit: options.queueLimit ?? DEFAULT_QUEUE_LIMIT,
      queueTimeoutMs: options.queueTimeoutMs ?? null,
      fetchMissing: options.fetchMissing,
    }
    this.#probe = new DeviceProbe({
      runtimeFolder: options.runtimeFolder,
      command: options.workerCommand("probe"),
      useGpu: options.useGpu ?? true,
      limits: { ...DEFAULT_TIMEOUTS, ...options.limits },
      log: options.log,
    })
    this.#contexts = new ContextReader({
      store: options.store,
      settingsOf: (model) => this.#live.settingsOf(model),
      loaded: () => this.loaded(),
      available: () => this.#pool.most(this.#memory.known()),
    })
    this.#memory = new MemoryReader(this.#probe, options.simulatedDevices, () =>
      [...this.#models].flatMap(({ workers }) => workers.loadedWeights),
    )
    this.#pool = createPool({ store: options.store, memory: this.#memory, limits: this.#live.memory })
    this.#adapters = new ModelAdapters(options.store)
    this.#models = new ModelDirectory({
      store: options.store,
      settingsOf: (model) => this.#live.settingsOf(model),
      create: (summary) => this.#serve(summary),
      checkOpen: () => this.#refuseWhenStopping(),
    })
  }

  chat(request: ChatRequest, signal: AbortSignal): Answering<GenerationEvent> {
    return this.#work(request, signal)
  }

  complete(request: CompletionRequest, signal: AbortSignal): Answering<GenerationEvent> {
    return this.#work(request, signal)
  }

  embed(request: EmbeddingRequest, signal: AbortSignal): Answering<EmbeddingEvent> {
    return this.#work(request, signal)
  }

  rerank(request: RerankRequest, signal: AbortSignal): Answering<EmbeddingEvent> {
    return this.#work(request, signal)
  }

  speak(request: SpeechRequest, signal: AbortSignal): Answering<SpeechEvent> {
    return this.#work(request, signal)
  }

  transcribe(request: TranscriptionRequest, signal: AbortSignal): Answering<TranscriptionEvent> {
    return this.#work(request, signal)
  }

  generateImage(request: ImageRequest, signal: AbortSignal): Answering<ImageEvent> {
    return this.#work(request, signal)
  }

  async render(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt> {
    const { request: plain, adapter } = await this.#adapters.takeName(request)
    const model = await this.#models.find(plain)
    await refuseUnperceived(plain, () => this.show(model.summary.name))
    return model.render(await this.#adapters.applyTo(plain, model.summary, adapter), signal)
  }

  async tokens(request: TokensRequest, signal: AbortSignal): Promise<TokensResult> {
    const name = await this.#adapters.baseOf(request.model)
    const model = await this.#models.find(name === undefined ? { kind: "chat" } : { model: name })
    const { summary } = model
    if (!isGguf(summary)) throw new WrongModelKind(summary.name, summary.kind)
    return model.tokens(request, signal)
  }

  async slot(request: SlotRequest, signal: AbortSignal): Promise<SlotResult> {
    const model = await this.#models.find({ ...request, kind: "chat" })
    const { summary } = model
    if (summary.kind !== "text") throw new WrongModelKind(summary.name, summary.kind)
    return model.slot(request, signal)
  }

  async preload(name: string, signal: AbortSignal, onProgress?: (fraction: number) => void): Promise<void> {
    const model = await this.#models.find({ model: await this.#adapters.baseOf(name) })
    if (signal.aborted) throw new Cancelled()
    try {
      await model.preload(signal, onProgress)
    } catch (error) {
      throw error instanceof XllmError ? await this.#diagnose(model.summary.name, error) : error
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#starting = true
    try {
      const models = await this.#options.store.list()
      const wanted = models.filter((model) => this.#live.settingsOf(model).preload)
      await Promise.all(wanted.map(({ name }) => this.#preloadAtStart(name, signal)))
    } catch (error) {
      this.#options.log.error("preloading models failed", { error })
    } finally {
      this.#starting = false
    }
  }

  async #preloadAtStart(name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.preload(name, signal)
    } catch (error) {
      // Intended: the model or the server is being stopped.
      if (error instanceof ShuttingDown || error instanceof Cancelled) return
      this.#options.log.warn("model not preloaded", { model: name, error })
    }
  }

  async stop(given: string): Promise<boolean> {
    // One in use begins to stop at once.
    const known = this.#models.named(given) ?? (await this.#known(await this.#adapters.baseOf(given)))
    return known?.stop("stopped") ?? false
  }

  async keep(name: string, seconds: number | null): Promise<void> {
    const known = await this.#known(name)
    known?.keep(seconds)
  }

  /** A model that was in use before; undefined where there is none. @throws ModelNotFound */
  async #known(name: string): Promise<ModelServer | undefined> {
    return this.#models.named(name) ?? this.#models.named((await this.#options.store.resolve(name)).name)
  }

  reconfigure(options: Partial<LiveOptions>): readonly string[] {
    this.#live = { ...this.#live, ...options }
    this.#pool.setLimits(this.#live.memory)
    const models = [...this.#models]
    for (const model of models) model.settingsChanged()
    return models.filter(({ workers }) => workers.isOutdated).map(({ summary }) => summary.name)
  }

  list(): Promise<readonly ModelSummary[]> {
    return this.#options.store.list()
  }

  async show(model: string): Promise<ModelDetails> {
    return await this.#options.store.describe(await this.#adapters.baseOf(model))
  }

  async adapters(model: string): Promise<readonly UsableAdapter[]> {
    return await this.#adapters.usable(await this.resolve(model))
  }

  async setAdapters(model: string, choices: readonly AdapterChoice[]): Promise<void> {
    await this.#adapters.setScales(await this.resolve(model), choices)
  }

  async contextLength(name: string): Promise<number | undefined> {
    const model = await this.show(name)
    return (await this.contextLengths([model])).get(model.name)?.served
  }

  contextLengths(models: readonly ModelSummary[]): Promise<ReadonlyMap<string, ContextLengths>> {
    return this.#contexts.read(models)
  }

  async settings(name: string): Promise<ModelSettings> {
    return this.#live.settingsOf(await this.resolve(name))
  }

  async resolve(name: string | undefined, request?: WorkRequest["kind"]): Promise<ModelSummary> {
    const kind = request && taskOf({ kind: request }).model
    return await this.#options.store.resolve(await this.#adapters.baseOf(name), kind)
  }

  loaded(): readonly LoadedModel[] {
    return [...this.#models].flatMap((model) => model.describe())
  }

  status(): EngineStatus {
    const models = this.loaded()
    const problems = this.#problems()
    const queues = [...this.#models].map(({ queue }) => queue)
    return {
      status: this.#state(models, problems),
      problems,
      queue: {
        running: queues.reduce((sum, { running }) => sum + running, 0),
        waiting: queues.reduce((sum, { waiting }) => sum + waiting, 0),
        limit: this.#live.queueLimit,
        models: queues.filter(({ running, waiting }) => running + waiting > 0),
      },
      memory: this.#memory.status(this.#pool, this.#live.memory),
      models,
      failed: [...this.#models].flatMap(({ workers }) => workers.failed ?? []),
      devices: this.#probe.peek()?.devices ?? null,
    }
  }

  system(): Promise<SystemReport> {
    return this.#probe.report()
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining ??= Promise.withResolvers()
    this.#endsAt = performance.now() + timeoutMs
    for (const model of this.#models) model.failWaiting(new ShuttingDown("the server"))
    const timer = setTimeout(this.#draining.resolve, timeoutMs)
    this.#lookWhetherDrained()
    await this.#draining.promise
    clearTimeout(timer)
    await this.close()
  }

  close(): Promise<void> {
    this.#closing ??= this.#endAll()
    return this.#closing
  }

  async #endAll(): Promise<void> {
    this.#draining?.resolve()
    this.#pool.close()
    const stops = [...this.#models].map((model) => model.stop("shutdown"))
    await Promise.all([this.#probe.close(), ...stops])
  }

  #state(models: readonly LoadedModel[], problems: readonly string[]): EngineStatus["status"] {
    if (this.#isStopping) return "stopping"
    if (this.#starting) return "starting"
    if (models.some((model) => model.state === "loading")) return "loading"
    return problems.length > 0 ? "degraded" : "ok"
  }

  #problems(): readonly string[] {
    const ofModels = [...this.#models].flatMap(({ workers }) => workers.problem ?? [])
    const { failure } = this.#probe
    return failure === undefined ? ofModels : [...ofModels, failure.publicMessage]
  }

  get #isStopping(): boolean {
    return this.#closing !== undefined || this.#draining !== undefined
  }

  /** For how long a worker that is ended may write prompts to disk. */
  #saveMs(): number {
    const most = this.#options.limits?.saveMs ?? DEFAULT_TIMEOUTS.saveMs
    return Math.max(0, Math.min(most, this.#endsAt - performance.now()))
  }

  #lookWhetherDrained(): void {
    if (![...this.#models].some(({ inUse }) => inUse)) this.#draining?.resolve()
  }

  /** Only models of the matching kind accept the request, and their workers emit only events of type `E`. */
  #work<E extends WorkEvent>(request: WorkRequest, signal: AbortSignal): Answering<E> {
    const stream = new RequestStream(request, signal, (begun) => void this.#begin(begun))
    return stream as Answering<WorkEvent> as Answering<E>
  }

  async #begin(stream: RequestStream): Promise<void> {
    try {
      const { request, adapter } = await this.#adapters.takeName(stream.request)
      stream.request = request
      const model = await this.#findOrFetch(stream)
      await refuseUnperceived(request, () => this.show(model.summary.name))
      stream.request = await this.#adapters.applyTo(request, model.summary, adapter)
      if (adapter !== undefined) stream.model = `${model.summary.name}@${adapter}`
      stream.diagnose = (error) => this.#diagnose(model.summary.name, model.withContextAdvice(error))
      if (!stream.over) model.join(stream)
    } catch (error) {
      stream.fail(asXllmError(error))
    }
  }

  /** The requested model; a missing one is downloaded first where that is enabled. */
  async #findOrFetch(stream: RequestStream): Promise<ModelServer> {
    const { request } = stream
    try {
      return await this.#models.find(request, stream)
    } catch (error) {
      const fetchMissing = this.#live.fetchMissing
      if (!(error instanceof ModelNotFound) || request.model === undefined || !fetchMissing) throw error
      const stop = new AbortController()
      stream.onLeave = () => stop.abort()
      const onProgress = (fraction: number) => stream.emit({ type: "loading", fraction })
      await fetchMissing(request.model, { signal: stop.signal, onProgress })
      stream.onLeave = undefined
      return await this.#models.find(request, stream)
    }
  }

  /** Replaces the error of a failed load where the model's files turn out to be damaged. */
  async #diagnose(model: string, error: XllmError): Promise<XllmError> {
    if (!LOAD_FAILURES.has(error.code)) return error
    const damage = await this.#options.findDamage?.(model).catch(() => undefined)
    return damage === undefined || damage.files.length === 0 ? error : new ModelCorrupt(model, damage, error)
  }

  #serve(summary: ModelSummary): ModelServer {
    const { runtimeFolder, derivedFolder, workerCommand, limits, log, observer } = this.#options
    return new ModelServer(summary, {
      pool: this.#pool,
      memory: this.#memory,
      runtimeFolder,
      derivedFolder,
      commandOf: workerCommand,
      limitsOf: (kind) => timeoutsOf(kind, limits),
      saveMs: () => this.#saveMs(),
      live: () => this.#live,
      observer,
      log,
      becameFree: () => this.#lookWhetherDrained(),
    })
  }

  #refuseWhenStopping(): void {
    if (this.#isStopping) throw new ShuttingDown("the server")
  }
}
