import type { GenerationRequest, RenderedPrompt } from "../../domain/chat"
import type { LoadedModel } from "../../domain/loaded-model"
import type { ModelKind, ModelSummary } from "../../domain/model"
import type { ModelSettings } from "../../domain/settings"
import { isGenerationRequest, type WorkRequest } from "../../domain/tasks"
import { asXllmError, type XllmError } from "../../errors/base"
import { ShuttingDown } from "../../errors/engine"
import { WrongModelKind } from "../../errors/model"
import type { Logger } from "../../log/logger"
import { refuseHopeless, refuseHopelessText } from "../../protocol/least-tokens"
import type { FailedModel, LiveOptions, QueueStatus } from "../contract"
import { isSameLoad, toLoadSettings } from "../model-kinds"
import type { EngineObserver, UnloadReason } from "../observer"
import { mostStepMs, type Timeouts } from "../process/timeouts"
import type { Pool } from "../residency/pool"
import { abortable } from "./abortable"
import { describeReplica } from "./describe-replica"
import type { LoadPlan } from "./load-plan"
import { ModelVersion } from "./model-version"
import { QueuedRequest } from "./queued-request"
import { Replica, type ReplicaListener } from "./replica"
import { ReplicaSet } from "./replica-set"
import { RequestQueue } from "./request-queue"
import type { RequestStream } from "./request-stream"

/** Delay before another attempt, after an additional replica failed to load. */
const REPLICA_RETRY_MS = 30_000

export interface ModelServerOptions {
  readonly pool: Pool
  readonly runtimeFolder: string
  /** Each version of a model has a folder below this one for files derived from its own. */
  readonly derivedFolder: string
  /** Command line of a worker. */
  readonly commandOf: (kind: ModelKind) => readonly string[]
  readonly limitsOf: (kind: ModelKind) => Timeouts
  /** The current options. */
  readonly live: () => LiveOptions
  readonly observer: EngineObserver | undefined
  readonly log: Logger
  readonly replicaMade: (replica: Replica, model: ModelServer) => void
  /** Called when a replica will never have a process again. */
  readonly replicaGone: (replica: Replica) => void
  /** Called when the model may have become idle; may fire repeatedly. */
  readonly becameFree: () => void
  /** Called when a worker has taken or released memory. */
  readonly memoryChanged: () => void
}

/** A caller that needs a ready worker. */
interface Waiter {
  readonly use: (replica: Replica) => void
  readonly reject: (error: XllmError) => void
}

/**
 * One model: its waiting requests and its workers. The only owner of the queue; every change is applied
 * synchronously by an event (a request, a worker's message, a client that disconnects), with no awaits in between.
 */
export class ModelServer {
  readonly #options: ModelServerOptions
  readonly #queue: RequestQueue
  readonly #waiters = new Set<Waiter>()
  readonly #replicas = new ReplicaSet((number) => this.#make(number))
  readonly #inUse = new Set<Replica>()
  readonly #version: ModelVersion
  #lastUsedAt: Date | undefined
  /** Taken from the newest request; undefined: the settings decide. */
  #keepAliveSeconds: number | null | undefined
  #nextId = 1
  /** Prompts being rendered, including those waiting for the load. */
  #renderCount = 0
  /** It waits for memory that other models hold. */
  #waitsForRoom = false
  #retryReplicasAt = 0
  /** Why the last load failed or the last worker ended; undefined once one is ready or no longer wanted. */
  #failure: { readonly error: XllmError; readonly at: Date } | undefined

  constructor(summary: ModelSummary, options: ModelServerOptions) {
    this.#version = new ModelVersion(summary)
    this.#options = options
    this.#queue = new RequestQueue(summary.name, options.live().queueLimit)
  }

  get summary(): ModelSummary {
    return this.#version.summary
  }

  get settings(): ModelSettings {
    return this.#version.settingsBy(this.#options.live().settingsOf)
  }

  /**
   * The store's answer to lookup number `asked`. Where the version changed, the old workers get no more requests
   * and end once they finish the running ones; waiting requests get a worker of the new version.
   */
  update(summary: ModelSummary, asked: number): void {
    const { kind: before } = this.summary
    if (!this.#version.take(summary, asked)) return
    const { name, kind, path, id } = summary
    this.#options.log.info("model changed", { model: name, path, id })
    if (kind !== before) this.failWaiting(new WrongModelKind(name, kind))
    this.#retire()
  }

  /** Lookup number `asked` found no such model. */
  removed(asked: number): void {
    if (!this.#version.end(asked)) return
    this.#options.log.info("model removed", { model: this.summary.name })
    this.#retire()
  }

  /** The present workers get no more requests, and end once they finish. */
  #retire(): void {
    const { pool, replicaGone } = this.#options
    const before = this.#replicas.renew()
    this.#failure = undefined
    this.#retryReplicasAt = 0
    for (const replica of before) {
      pool.retire(replica.id)
      if (replica.state === undefined) replicaGone(replica)
    }
    if (this.#queue.count > 0 || this.#waiters.size > 0) this.#wantReplicas()
  }

  /** Accepts a request: it starts, waits or fails. */
  join(stream: RequestStream): void {
    const { observer, live } = this.#options
    const { queueLimit, queueTimeoutMs } = live()
    const queuedRequest = new QueuedRequest(this.#nextId++, stream, this.summary.name, observer)
    const hopeless = this.#whyHopeless(stream.request)
    if (hopeless !== undefined) {
      queuedRequest.queued()
      return queuedRequest.fail(hopeless)
    }
    const wasEmpty = this.#queue.count === 0
    this.#queue.limit = queueLimit
    if (!this.#queue.join(queuedRequest, this.#freeSlots())) {
      queuedRequest.refused(this.#queue.full())
      return
    }
    stream.onLeave = () => this.#left(queuedRequest)
    queuedRequest.queued()
    const timeoutMs = stream.request.queueTimeoutMs ?? queueTimeoutMs
    if (timeoutMs !== null)
      queuedRequest.limitWaiting(timeoutMs, () => this.#expired(queuedRequest, timeoutMs))
    this.#keepAliveSeconds = stream.request.keepAliveSeconds
    this.#lastUsedAt = new Date()
    if (!this.#isReady) queuedRequest.loading(this.#replicas.progress)
    this.#wantReplicas()
    if (!this.#isReady) return this.#emitPositions()
    this.#startWaiting(queuedRequest.arrivedAt)
    if (wasEmpty && this.#queue.count > 0) this.#queue.backlogBegan(queuedRequest.arrivedAt)
    this.#settle()
    this.#emitPositions()
  }

  /** @throws QueueFull, Cancelled, ShuttingDown, WorkerCrashed, and the errors of rendering and loading */
  async render(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt> {
    if (this.#renderCount >= this.#options.live().queueLimit) throw this.#queue.full(this.#renderCount)
    this.#renderCount += 1
    this.#lastUsedAt = new Date()
    try {
      const id = this.#nextId++
      return await abortable(signal, (resolve, reject) => {
        let rendersIn: Replica | undefined
        const leave = this.#whenReady((replica) => {
          const hopeless = this.#whyHopeless(request, refuseHopelessText)
          if (hopeless !== undefined) return reject(hopeless)
          rendersIn = replica
          replica.render(id, request, { resolve, reject })
        }, reject)
        return () => (leave(), rendersIn?.abandon(id))
      })
    } finally {
      this.#renderCount -= 1
    }
  }

  /** Resolves once a worker is ready. @throws Cancelled, ShuttingDown, and the errors of loading */
  preload(signal: AbortSignal): Promise<void> {
    return abortable(signal, (resolve, reject) => this.#whenReady(() => resolve(), reject))
  }

  /**
   * Ends the workers; open requests fail with `ShuttingDown`. Resolves once they are gone; false where there were
   * none.
   */
  async stop(reason: UnloadReason): Promise<boolean> {
    const { alive } = this.#replicas
    const gone = alive.map(({ whenGone }) => whenGone)
    for (const { id } of this.#replicas) this.#options.pool.stop(id, reason)
    this.failWaiting(new ShuttingDown(`model '${this.summary.name}'`))
    this.#failure = undefined
    await Promise.all(gone)
    return alive.length > 0
  }

  /** Fails the requests that have not started. */
  failWaiting(error: XllmError): void {
    this.#queue.failAll(error)
    for (const waiter of this.#takeWaiters()) waiter.reject(error)
    this.#waitsForRoom = false
    this.#settle()
  }

  /** Its workers with a live process. */
  describe(): readonly LoadedModel[] {
    const { alive } = this.#replicas
    return alive.flatMap((replica, index) => {
      const queuedRequests = index === 0 ? this.#queue.count : 0
      const { pool } = this.#options
      const facts = { replica, settings: this.settings, pool, queuedRequests }
      return describeReplica({ ...facts, lastUsedAt: this.#lastUsedAt }) ?? []
    })
  }

  get queue(): QueueStatus {
    return { model: this.summary.name, running: this.#replicas.runningCount, waiting: this.#queue.count }
  }

  /** Does its present version have a worker? */
  get isLoaded(): boolean {
    return this.#replicas.serves()
  }

  /** Is a request or a rendering open? */
  get inUse(): boolean {
    return this.#queue.count > 0 || this.#replicas.inUse
  }

  /** The current problem, as text; undefined where there is none. */
  get problem(): string | undefined {
    if (this.#failure !== undefined) return this.#failure.error.publicMessage
    const { replicas } = this.settings
    const alive = this.#replicas.current.filter(
      ({ state }) => state === "loading" || state === "ready",
    ).length
    return alive > 0 && alive < replicas
      ? `model '${this.summary.name}' has ${alive} of ${replicas} replicas`
      : undefined
  }

  /** Set while nothing is loaded because the load failed. */
  get failed(): FailedModel | undefined {
    if (this.#failure === undefined || this.#replicas.serves()) return undefined
    const { name, kind, id } = this.summary
    return { name, kind, id, error: this.#failure.error, failedAt: this.#failure.at }
  }

  /** Do current settings differ from those it was loaded with? */
  get isOutdated(): boolean {
    const next = toLoadSettings(this.settings)
    return this.#replicas.current.some(
      ({ state, loadedWith }) =>
        state !== undefined && loadedWith !== undefined && !isSameLoad(loadedWith, next),
    )
  }

  /** Called after the settings change: applies what can change without a reload. */
  settingsChanged(): void {
    for (const { id } of this.#replicas.current) this.#options.pool.keepFor(id, this.#keepAliveMs)
  }

  // ------------------------------------------------------------------------------- called by the pool

  load(replica: Replica, load: Omit<LoadPlan, "wanted">): void {
    this.#waitsForRoom = false
    this.#options.log.info("model placed", { model: this.summary.name, plan: load.plan.explanation })
    replica.load({ ...load, wanted: toLoadSettings(this.settings) })
  }

  unload(replica: Replica, reason: UnloadReason): void {
    this.#inUse.delete(replica)
    replica.unload(reason)
    // Replicas may have been held back for the model that gets this memory.
    if (this.#queue.count > 0 && (reason === "memory" || reason === "idle")) this.#wantReplicas()
  }

  refused(error: XllmError): void {
    this.#options.log.warn("model cannot be loaded", { model: this.summary.name, error })
    this.#failure = { error, at: new Date() }
    if (!this.#replicas.serves()) this.failWaiting(error)
  }

  declined(replica: Replica): void {
    this.#retryReplicasAt = performance.now() + REPLICA_RETRY_MS
    this.#options.log.info("not enough memory for replica", {
      model: this.summary.name,
      replica: replica.number,
    })
  }

  waitsForRoom(): void {
    this.#waitsForRoom = true
    this.#emitPositions()
  }

  hold(replica: Replica, held: boolean): void {
    replica.heldSince = held ? performance.now() : undefined
    if (!held) this.#slotsFreed()
  }

  // ---------------------------------------------------------------------------- called by the replicas

  readonly #listener: ReplicaListener = {
    loading: (_replica, fraction) => {
      if (!this.#isReady) this.#queue.emitLoading(fraction)
    },
    ready: (replica) => this.#becomeReady(replica),
    freed: () => {
      this.#lastUsedAt = new Date()
      this.#slotsFreed()
    },
    remeasured: (replica) => this.#options.pool.remeasured(replica.id, replica.footprint),
    loadFailed: (replica, error) => this.#loadFailed(replica, error),
    crashed: (replica, error) => this.#crashed(replica, error),
    ended: (replica) => {
      this.#options.memoryChanged()
      this.#options.pool.ended(replica.id)
      if (this.#replicas.forget(replica)) this.#options.replicaGone(replica)
    },
  }

  #becomeReady(replica: Replica): void {
    this.#failure = undefined
    this.#options.memoryChanged()
    this.#options.pool.ready(replica.id, replica.footprint)
    for (const waiter of this.#takeWaiters()) waiter.use(replica)
    this.#queue.refuseWhere(({ request }) => this.#whyHopeless(request))
    this.#startWaiting(replica.readyAt)
    if (this.#queue.count > 0) this.#queue.backlogBegan(replica.readyAt)
    this.#inUse.add(replica)
    this.#settle()
    this.#emitPositions()
  }

  #loadFailed(replica: Replica, error: XllmError): void {
    this.#options.pool.ending(replica.id)
    if (!this.#replicas.isCurrent(replica)) return
    this.#failure = { error, at: new Date() }
    if (replica.number > 1) this.#retryReplicasAt = performance.now() + REPLICA_RETRY_MS
    if (!this.#replicas.serves(replica)) this.failWaiting(error)
  }

  /** Its running requests are lost; the waiting ones get another worker. */
  #crashed(replica: Replica, error: XllmError): void {
    this.#inUse.delete(replica)
    this.#options.pool.ending(replica.id)
    if (!this.#replicas.isCurrent(replica)) return
    this.#failure = { error, at: new Date() }
    if (this.#queue.count === 0 && this.#waiters.size === 0) return
    this.#wantReplicas()
    if (!this.#isReady) this.#queue.emitLoading(0)
  }

  // -------------------------------------------------------------------------------------------- parts

  get #isReady(): boolean {
    return this.#replicas.ready !== undefined
  }

  /** Why no worker of the model could ever take the request, judged by a ready one. */
  #whyHopeless(request: WorkRequest, refuse = refuseHopeless): XllmError | undefined {
    const info = this.#replicas.ready?.info
    if (!isGenerationRequest(request) || info?.kind !== "text") return undefined
    try {
      refuse(request, info)
      return undefined
    } catch (error) {
      return asXllmError(error)
    }
  }

  get #keepAliveMs(): number | null {
    const seconds =
      this.#keepAliveSeconds === undefined ? this.settings.keepAliveSeconds : this.#keepAliveSeconds
    return seconds === null ? null : seconds * 1000
  }

  /** Slots that are free, or will be once it is loaded. */
  #freeSlots(): number {
    if (!this.#isReady) return this.settings.slots
    return this.#replicas.freeSlots
  }

  #wantReplicas(): void {
    const { replicas } = this.settings
    const model = this.summary.name
    const mayGrow = performance.now() >= this.#retryReplicasAt
    for (let replica = 1; replica <= (mayGrow ? Math.max(1, replicas) : 1); replica++) {
      this.#options.pool.want({ id: this.#replicas.at(replica).id, model, replica })
    }
  }

  #make(number: number): Replica {
    const { runtimeFolder, derivedFolder, commandOf, limitsOf, log, observer, replicaMade } = this.#options
    const { name, kind } = this.summary
    const limits = limitsOf(kind)
    const replica = new Replica({
      id: `${name}#${number}.${this.#version.number}`,
      model: this.summary,
      worker: { model: name, replica: number },
      labels: { model: name, ...(this.settings.replicas > 1 && { replica: number }) },
      runtimeFolder,
      derivedFolder,
      command: commandOf(kind),
      limits,
      mostStepMs: () => mostStepMs(limits, this.settings),
      log,
      observer,
      listener: this.#listener,
    })
    replicaMade(replica, this)
    return replica
  }

  /** Fills the free slots; returns how many requests it started. */
  #startWaiting(now: number): number {
    return this.#queue.startWhile((next) => {
      const replica = this.#replicas.for(next)
      replica?.start(next, now)
      return replica !== undefined
    })
  }

  #slotsFreed(): void {
    const now = performance.now()
    const started = this.#startWaiting(now)
    this.#queue.served(started, now)
    this.#settle()
    if (started > 0) this.#emitPositions()
  }

  /**
   * Tells the pool which workers are in use. Always the last step of a change: a worker that has just become free
   * may already have the next request.
   */
  #settle(): void {
    for (const replica of this.#replicas) {
      if (replica.info === undefined || replica.inUse === this.#inUse.has(replica)) continue
      if (replica.inUse) {
        this.#inUse.add(replica)
        this.#options.pool.busy(replica.id)
      } else {
        this.#inUse.delete(replica)
        this.#options.pool.idle(replica.id, this.#keepAliveMs)
      }
    }
    if (!this.inUse) this.#options.becameFree()
    if (this.#queue.count > 0 || this.#waiters.size > 0 || this.#replicas.serves()) return
    for (const { id } of this.#replicas.current) this.#options.pool.unwant(id)
  }

  #left(queuedRequest: QueuedRequest): void {
    queuedRequest.left()
    this.#lastUsedAt = new Date()
    if (this.#queue.leave(queuedRequest)) {
      this.#settle()
      this.#emitPositions()
      return
    }
    for (const replica of this.#replicas) {
      if (replica.cancel(queuedRequest)) this.#slotsFreed()
    }
  }

  #expired(queuedRequest: QueuedRequest, limitMs: number): void {
    if (!this.#queue.leave(queuedRequest)) return
    queuedRequest.fail(this.#queue.timeout(limitMs))
    this.#settle()
    this.#emitPositions()
  }

  #emitPositions(): void {
    if (this.#isReady || this.#waitsForRoom) this.#queue.emitPositions()
  }

  /** Calls `use` once a worker is ready, synchronously where one is. Returns a function that cancels the wait. */
  #whenReady(use: (replica: Replica) => void, reject: (error: XllmError) => void): () => void {
    this.#wantReplicas()
    const { ready } = this.#replicas
    if (ready !== undefined) {
      use(ready)
      this.#settle()
      return () => {}
    }
    const waiter = { use, reject }
    this.#waiters.add(waiter)
    return () => {
      if (this.#waiters.delete(waiter)) this.#settle()
    }
  }

  #takeWaiters(): readonly Waiter[] {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    return waiters
  }
}
