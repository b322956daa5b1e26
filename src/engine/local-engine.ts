import type {
  ChatRequest,
  CompletionRequest,
  Device,
  GenerationEvent,
  GenerationRequest,
  ImageEvent,
  ImageRequest,
  LoadedModel,
  ModelDetails,
  ModelKind,
  ModelSettings,
  ModelSummary,
  RenderedPrompt,
  SpeechEvent,
  SpeechRequest,
  TranscriptionEvent,
  TranscriptionRequest,
  WorkEvent,
  WorkRequest,
} from "../domain"
import { asXllmError, Cancelled, Stopping, WrongModelKind, type XllmError } from "../errors"
import type { Logger } from "../log/logger"
import type { Catalog } from "../store/contract"
import type { EngineStatus, LiveOptions, ManagedEngine, MemoryLimits, SystemReport } from "./contract"
import { DeviceProbe } from "./device-probe"
import { Generation } from "./generation"
import { DEFAULT_HEADROOM_BYTES, DEFAULT_LIMITS, DEFAULT_QUEUE_LIMIT, type EngineLimits } from "./limits"
import { MemoryReader } from "./memory-reader"
import type { EngineObserver } from "./observer"
import { Pool, type PoolEffects } from "./pool"
import type { Replica } from "./replica"
import { TextModel } from "./text-model"
import { toReplicaLoad } from "./worker-settings"

export interface EngineOptions {
  readonly store: Catalog
  /** What a model is loaded with and how it is kept; asked once for each, and again after {@link LocalEngine.reconfigure}. */
  readonly settingsOf: (model: string) => ModelSettings
  /** Folder for extracted native components (`~/.xllm/runtime`). */
  readonly runtimeFolder: string
  /** Where each version of a model has a folder, named by its id, for what was made from its files. */
  readonly derivedFolder: string
  /** The command line that starts a worker of a kind. */
  readonly workerCommand: (kind: ModelKind | "probe") => readonly string[]
  /** What differs from `DEFAULT_LIMITS`. */
  readonly limits?: Partial<EngineLimits>
  /** The most memory that models may take; absent: what the machine has, but for some head-room. */
  readonly memory?: MemoryLimits
  /** How many requests may wait for one model; absent: `DEFAULT_QUEUE_LIMIT`. */
  readonly queueLimit?: number
  /** The longest that a request may wait before it starts, in milliseconds; absent or `null`: for ever. */
  readonly queueTimeoutMs?: number | null
  /** Whether GPU backends are loaded to ask for devices; absent: yes. */
  readonly useGpu?: boolean
  /** Plans are made for these GPUs in place of the real ones; everything is computed on the CPU then. */
  readonly simulatedDevices?: readonly Device[]
  /** Absent: nobody counts. */
  readonly observer?: EngineObserver
  readonly log: Logger
}

/** What kind of model takes a request. */
const KIND_FOR: Readonly<Record<WorkRequest["kind"], ModelKind>> = {
  chat: "text",
  completion: "text",
  speech: "voice",
  transcription: "recognizer",
  image: "image",
}

/** An engine whose workers are processes on this machine. */
export class LocalEngine implements ManagedEngine {
  readonly #options: EngineOptions
  readonly #limits: EngineLimits
  readonly #probe: DeviceProbe
  readonly #memory: MemoryReader
  readonly #pool: Pool
  /** By name; every model that was used once, with a worker or without. */
  readonly #models = new Map<string, TextModel>()
  /** By the ids that the pool knows. */
  readonly #replicas = new Map<string, { readonly replica: Replica; readonly model: TextModel }>()
  #live: LiveOptions
  #wakeTimer: ReturnType<typeof setTimeout> | undefined
  #starting = false
  #draining: PromiseWithResolvers<void> | undefined
  #closing: Promise<void> | undefined

  constructor(options: EngineOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#live = remembering({
      memory: options.memory ?? { headroomBytes: DEFAULT_HEADROOM_BYTES },
      settingsOf: options.settingsOf,
      queueLimit: options.queueLimit ?? DEFAULT_QUEUE_LIMIT,
      queueTimeoutMs: options.queueTimeoutMs ?? null,
    })
    this.#probe = new DeviceProbe({
      runtimeFolder: options.runtimeFolder,
      command: options.workerCommand("probe"),
      useGpu: options.useGpu ?? true,
      limits: this.#limits,
      log: options.log,
    })
    this.#memory = new MemoryReader(this.#probe, options.simulatedDevices)
    this.#pool = new Pool({
      limits: this.#live.memory,
      settingsOf: (model) => this.#live.settingsOf(model),
      effects: this.#effects(),
      now: () => performance.now(),
    })
  }

  chat(request: ChatRequest, signal: AbortSignal): AsyncIterable<GenerationEvent> {
    return this.#work(request, signal)
  }

  complete(request: CompletionRequest, signal: AbortSignal): AsyncIterable<GenerationEvent> {
    return this.#work(request, signal)
  }

  speak(request: SpeechRequest, signal: AbortSignal): AsyncIterable<SpeechEvent> {
    return this.#work(request, signal)
  }

  transcribe(request: TranscriptionRequest, signal: AbortSignal): AsyncIterable<TranscriptionEvent> {
    return this.#work(request, signal)
  }

  draw(request: ImageRequest, signal: AbortSignal): AsyncIterable<ImageEvent> {
    return this.#work(request, signal)
  }

  async render(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt> {
    const model = await this.#find(request)
    return model.render(request, signal)
  }

  async preload(name: string, signal: AbortSignal): Promise<void> {
    const model = await this.#find({ model: name })
    if (signal.aborted) throw new Cancelled()
    await model.preload(signal)
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#starting = true
    try {
      const models = await this.#options.store.list()
      const wanted = models.filter(({ name }) => this.#live.settingsOf(name).preload)
      // The failure is in the log, and among the problems of the status.
      await Promise.all(wanted.map(({ name }) => this.preload(name, signal).catch(() => {})))
    } finally {
      this.#starting = false
    }
  }

  async stop(name: string): Promise<boolean> {
    const known = this.#models.get(name) ?? this.#models.get((await this.#options.store.resolve(name)).name)
    return known === undefined ? false : known.stop("stopped")
  }

  reconfigure(options: Partial<LiveOptions>): readonly string[] {
    this.#live = remembering({ ...this.#live, ...options })
    this.#pool.setLimits(this.#live.memory)
    const models = [...this.#models.values()]
    for (const model of models) model.settingsChanged()
    return models.filter(({ isOutdated }) => isOutdated).map(({ summary }) => summary.name)
  }

  list(): Promise<readonly ModelSummary[]> {
    return this.#options.store.list()
  }

  show(model: string): Promise<ModelDetails> {
    return this.#options.store.describe(model)
  }

  loaded(): readonly LoadedModel[] {
    return [...this.#models.values()].flatMap((model) => model.describe())
  }

  status(): EngineStatus {
    const models = this.loaded()
    const problems = this.#problems()
    const queues = [...this.#models.values()].map(({ queue }) => queue)
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
      devices: this.#probe.peek()?.devices ?? null,
    }
  }

  system(): Promise<SystemReport> {
    return this.#probe.report()
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining ??= Promise.withResolvers()
    for (const model of this.#models.values()) model.failWaiting(new Stopping("the server"))
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
    const stops = [...this.#models.values()].map((model) => model.stop("shutdown"))
    await Promise.all([this.#probe.close(), ...stops])
  }

  #state(models: readonly LoadedModel[], problems: readonly string[]): EngineStatus["status"] {
    if (this.#isStopping) return "stopping"
    if (this.#starting) return "starting"
    if (models.some((model) => model.state === "loading")) return "loading"
    return problems.length > 0 ? "degraded" : "ok"
  }

  #problems(): readonly string[] {
    const ofModels = [...this.#models.values()].flatMap(({ problem }) => problem ?? [])
    const { failure } = this.#probe
    return failure === undefined ? ofModels : [...ofModels, failure.message]
  }

  get #isStopping(): boolean {
    return this.#closing !== undefined || this.#draining !== undefined
  }

  #lookWhetherDrained(): void {
    if (![...this.#models.values()].some(({ inUse }) => inUse)) this.#draining?.resolve()
  }

  /** Only models of the request's kind take it, and their workers tell nothing but `E` of it. */
  #work<E extends WorkEvent>(request: WorkRequest, signal: AbortSignal): AsyncIterable<E> {
    const generation = new Generation(request, signal, (begun) => void this.#begin(begun))
    return generation as AsyncIterable<WorkEvent> as AsyncIterable<E>
  }

  async #begin(generation: Generation): Promise<void> {
    try {
      const model = await this.#find(generation.request)
      if (!generation.over) model.join(generation)
    } catch (error) {
      generation.fail(asXllmError(error))
    }
  }

  /** The model that is asked for, of any kind where the request has none. @throws ModelNotFound, WrongModelKind, Stopping */
  async #find(request: { readonly model?: string; readonly kind?: WorkRequest["kind"] }): Promise<TextModel> {
    this.#refuseWhenStopping()
    const summary = await this.#options.store.resolve(request.model)
    this.#refuseWhenStopping()
    if (request.kind !== undefined && KIND_FOR[request.kind] !== summary.kind) {
      throw new WrongModelKind(summary.name, summary.kind)
    }
    const known = this.#models.get(summary.name)
    if (known !== undefined) {
      known.update(summary)
      return known
    }
    const { runtimeFolder, derivedFolder, workerCommand, log, observer } = this.#options
    const model = new TextModel(summary, {
      pool: this.#pool,
      runtimeFolder,
      derivedFolder,
      command: workerCommand(summary.kind),
      limits: this.#limits,
      live: () => this.#live,
      observer,
      log,
      replicaMade: (replica, of) => void this.#replicas.set(replica.id, { replica, model: of }),
      becameFree: () => this.#lookWhetherDrained(),
      memoryChanged: () => this.#memory.changed(),
    })
    this.#models.set(summary.name, model)
    return model
  }

  #refuseWhenStopping(): void {
    if (this.#isStopping) throw new Stopping("the server")
  }

  #effects(): PoolEffects {
    const at = (id: string) => this.#replicas.get(id)
    return {
      measure: (ids) => void this.#measure(ids),
      load: (id, fit) => {
        const entry = at(id)
        if (entry === undefined) return
        const settings = this.#live.settingsOf(entry.model.summary.name)
        const { offload } = this.#memory
        entry.model.load(entry.replica, toReplicaLoad({ settings, fit, limits: this.#live.memory, offload }))
      },
      unload: (id, reason) => {
        const entry = at(id)
        entry?.model.unload(entry.replica, reason)
      },
      refuse: (id, error) => at(id)?.model.refused(error),
      decline: (id) => {
        const entry = at(id)
        entry?.model.declined(entry.replica)
      },
      waits: (id) => at(id)?.model.waitsForRoom(),
      hold: (id, held) => {
        const entry = at(id)
        entry?.model.hold(entry.replica, held)
      },
      wakeAt: (time) => this.#wakeAt(time),
    }
  }

  async #measure(ids: readonly string[]): Promise<void> {
    const names = new Map(ids.map((id) => [id, this.#replicas.get(id)?.model.summary.name ?? ""]))
    const wantsGpus = [...names.values()].some((name) => this.#live.settingsOf(name).gpuLayers !== 0)
    const [reading, ...details] = await Promise.all([
      this.#memory.read(wantsGpus),
      ...[...names].map(async ([id, name]) => [id, await this.#describe(name)] as const),
    ])
    this.#pool.measured({ reading, details: new Map(details) })
  }

  #describe(name: string): Promise<ModelDetails | XllmError> {
    return this.#options.store.describe(name).catch(asXllmError)
  }

  /** The longest timers of the platform are of 2^31 milliseconds; the pool looks at the clock itself. */
  #wakeAt(time: number | undefined): void {
    clearTimeout(this.#wakeTimer)
    if (time === undefined) return
    const ms = Math.min(2 ** 31 - 1, Math.max(0, time - performance.now()))
    this.#wakeTimer = setTimeout(() => this.#pool.tick(), Math.ceil(ms))
  }
}

/** The same options; settings, which are asked for with every request, are worked out once for each model. */
function remembering(live: LiveOptions): LiveOptions {
  const known = new Map<string, ModelSettings>()
  const settingsOf = (model: string): ModelSettings => {
    const settings = known.get(model) ?? live.settingsOf(model)
    known.set(model, settings)
    return settings
  }
  return { ...live, settingsOf }
}
