import { join } from "node:path"
import type { GenerationRequest } from "../../domain/chat"
import type { LayerPlan, MemoryFootprint } from "../../domain/device"
import type { LoadedModelInfo, ModelState, WorkerCounters } from "../../domain/loaded-model"
import type { ModelSummary } from "../../domain/model"
import type { ModelSettings, TextModelSettings } from "../../domain/settings"
import type { WorkEvent } from "../../domain/tasks"
import { fromWire, InternalError, type XllmError } from "../../errors/base"
import { ShuttingDown } from "../../errors/engine"
import type { WorkerModel } from "../../protocol/messages"
import { decodeRendered, encodeDefaults, encodeRequest, type WireEvents } from "../../protocol/wire"
import type { EngineObserver, ObservedWorker, UnloadReason } from "../observer"
import { type WorkerOptions, WorkerProcess, type WorkMessage } from "../process/worker-process"
import { beyond, NO_MEMORY } from "../residency/available-memory"
import type { Fit } from "../residency/eviction"
import type { MemoryReader } from "../residency/memory-reader"
import type { Pool } from "../residency/pool"
import type { PoolMember } from "../residency/pool-entry"
import { afterFailure, footprintOf, type LoadPlan, noteOn } from "./load-plan"
import { PrefixAffinity } from "./prefix-affinity"
import type { QueuedRequest } from "./queued-request"
import { type Rendering, Renderings } from "./renderings"
import { RunningRequests } from "./running-requests"
import { toLoadPlan } from "./to-load-plan"

/** Callbacks of a replica for its model. The pool has been told of each change before. */
export interface ReplicaListener {
  /** Its load begins. */
  placed(replica: Replica): void
  /** It waits until other models are done. */
  waits(replica: Replica): void
  /** It will not be loaded. */
  refused(replica: Replica, error: XllmError): void
  /** There is no memory for it at present, and nothing depends on it. */
  declined(replica: Replica): void
  loading(replica: Replica, fraction: number): void
  ready(replica: Replica): void
  /** It is no longer held, see `Pool`. */
  resumed(replica: Replica): void
  /** Slots became free, or the last rendering finished. */
  freed(replica: Replica): void
  /** The load failed for good; `ended` follows. */
  loadFailed(replica: Replica, error: XllmError): void
  /** It failed with everything running in it; `ended` follows. */
  crashed(replica: Replica, error: XllmError): void
  /** It is ended on purpose; `ended` follows. */
  unloading(replica: Replica, reason: UnloadReason): void
  /** Its process is gone. */
  ended(replica: Replica): void
}

export interface ReplicaOptions extends Omit<WorkerOptions, "listener"> {
  /** Unique. */
  readonly id: string
  /** The version of the model that it loads. */
  readonly model: ModelSummary
  /** Each version of a model has a folder below this one for files derived from its own. */
  readonly derivedFolder: string
  readonly worker: ObservedWorker
  /** The current settings of its model. */
  readonly settings: () => ModelSettings
  readonly pool: Pool
  readonly memory: MemoryReader
  /** For how long its process may write prompts to disk before it ends, at present. */
  readonly saveMs: () => number
  readonly observer: EngineObserver | undefined
  readonly listener: ReplicaListener
}

const NO_COUNTERS: WorkerCounters = {
  decodeCalls: 0,
  promptTokensEvaluated: 0,
  promptTokensCached: 0,
  tokensGenerated: 0,
  preemptions: 0,
}

const STATES = { starting: "loading", ready: "ready", stopping: "stopping" } as const satisfies Record<
  string,
  ModelState
>

/**
 * One worker of a model and the requests running in it. Its model and the pool start it, give it work and end it.
 */
export class Replica implements PoolMember {
  readonly id: string
  readonly model: ModelSummary
  readonly number: number
  readonly #options: ReplicaOptions
  readonly #process: WorkerProcess
  readonly #running = new RunningRequests()
  readonly #renderings = new Renderings()
  readonly #prefixAffinity = new PrefixAffinity()
  #info: LoadedModelInfo | undefined
  /** The worker's last measurement; undefined: it is the one of `#info`. */
  #measured: MemoryFootprint | undefined
  #load: LoadPlan | undefined
  /** The load to try once the last one's process is gone. */
  #next: LoadPlan | undefined
  #notes: string[] = []
  #counters = NO_COUNTERS
  #readyAt = 0
  #gone: PromiseWithResolvers<void> | undefined
  /** Requests that arrived later than this are not started here; `performance.now()`. */
  #heldSince: number | undefined

  constructor(options: ReplicaOptions) {
    this.id = options.id
    this.model = options.model
    this.number = options.worker.replica
    this.#options = options
    this.#process = new WorkerProcess({
      ...options,
      listener: {
        loading: (fraction) => options.listener.loading(this, fraction),
        ready: (info, ms) => this.#becomeReady(info, ms),
        message: (message) => this.#onMessage(message),
        loadFailed: (error) => this.#loadFailed(error),
        crashed: (error) => this.#crashed(error),
        ended: () => this.#ended(),
      },
    })
  }

  get settings(): ModelSettings {
    return this.#options.settings()
  }

  /** When it finished loading; `performance.now()`. */
  get readyAt(): number {
    return this.#readyAt
  }

  /** Undefined while it has no process. */
  get state(): ModelState | undefined {
    return this.#process.state === "stopped" ? undefined : STATES[this.#process.state]
  }

  get progress(): number {
    return this.#process.progress
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  get loadedAt(): Date | undefined {
    return this.#process.loadedAt
  }

  /** Undefined unless it is ready. */
  get info(): LoadedModelInfo | undefined {
    return this.#info
  }

  /** The memory it holds as far as measured, plus what it takes while it works. */
  get footprint(): MemoryFootprint {
    return this.#load === undefined || this.#info === undefined
      ? NO_MEMORY
      : footprintOf(this.#load, this.#info, this.#measured)
  }

  /** The part of the footprint that it has not taken yet. */
  get #reserved(): MemoryFootprint {
    const measured = this.#measured ?? this.#info?.footprint
    return measured === undefined ? NO_MEMORY : beyond(this.footprint, measured)
  }

  get plan(): LayerPlan | undefined {
    return this.#load?.plan
  }

  /** The user's settings at the time of the load. */
  get loadedWith(): TextModelSettings | undefined {
    return this.#load?.wanted
  }

  get notes(): readonly string[] {
    return this.#notes
  }

  get counters(): WorkerCounters {
    return this.#counters
  }

  get runningCount(): number {
    return this.#running.size
  }

  /** Slots in use; more than exist where a request has more choices. */
  get taken(): number {
    return this.#running.taken
  }

  get slots(): number {
    return this.#info?.slots ?? 0
  }

  get inUse(): boolean {
    return this.#running.size + this.#renderings.size > 0
  }

  /** Settles when its present process is gone. */
  get whenGone(): Promise<void> {
    return this.#gone?.promise ?? Promise.resolve()
  }

  /** How much of a request's prefix it has seen. */
  match(hashes: readonly bigint[]): number {
    return this.#prefixAffinity.match(hashes)
  }

  remember(hashes: readonly bigint[]): void {
    this.#prefixAffinity.add(hashes)
  }

  load(fit: Fit): void {
    const { log, memory, worker, listener } = this.#options
    const { settings } = this
    const load = toLoadPlan({ settings, fit, offload: memory.offload })
    const limit = noteOn(load)
    log.info("model placed", { model: worker.model, plan: load.plan.explanation, limit })
    this.#gone = Promise.withResolvers<void>()
    this.#notes = [...(this.model.defaults?.notes ?? []), ...(limit === undefined ? [] : [limit])]
    listener.placed(this)
    this.#begin(load)
  }

  /** Ends its process, once it has written prompts to disk; running requests fail with `ShuttingDown`. */
  unload(reason: UnloadReason): void {
    this.#next = undefined
    if (this.#info !== undefined) this.#options.observer?.modelUnloaded(this.#options.worker, reason)
    const keepsPrompts = this.#load?.wanted.promptsOnDisk !== undefined
    this.#process.stop(reason, keepsPrompts ? this.#options.saveMs() : 0)
    this.#forget(new ShuttingDown(`model '${this.#options.worker.model}'`))
    this.#options.listener.unloading(this, reason)
  }

  refuse(error: XllmError): void {
    this.#options.log.warn("model cannot be loaded", { model: this.#options.worker.model, error })
    this.#options.listener.refused(this, error)
  }

  decline(): void {
    const { log, worker, listener } = this.#options
    log.info("not enough memory for replica", { ...worker })
    listener.declined(this)
  }

  waits(): void {
    this.#options.listener.waits(this)
  }

  hold(held: boolean): void {
    this.#heldSince = held ? performance.now() : undefined
    if (!held) this.#options.listener.resumed(this)
  }

  /** Has it a slot, or a turn, for that request? */
  accepts({ arrivedAt }: QueuedRequest): boolean {
    if (this.#info === undefined || this.#running.takenOf(this.slots) >= this.slots) return false
    return this.#heldSince === undefined || arrivedAt <= this.#heldSince
  }

  /** How many requests of the group run in it. */
  runningOf(group: unknown): number {
    return this.#running.of(group)
  }

  /** Starts a request. Only valid while it is ready. */
  start(queuedRequest: QueuedRequest, now: number): void {
    const { id } = queuedRequest
    const request = encodeRequest(queuedRequest.request)
    this.#running.add(queuedRequest)
    this.#process.setBusy(true)
    // Lost where the worker is just dying; the crash then fails the request a moment later.
    this.#process.send({ type: "generate", id, request, ...queuedRequest.start(now, this.#readyAt) })
  }

  /**
   * Handles a client's disconnect; false where its request does not run here. Its slots are free at once: the
   * cancel travels ahead of the next request, so the worker never sees more sequences than it has slots, and there
   * is no confirmation to lose.
   */
  cancel(queuedRequest: QueuedRequest): boolean {
    if (!this.#running.remove(queuedRequest)) return false
    this.#process.send({ type: "cancel", id: queuedRequest.id })
    this.#updateBusy()
    return true
  }

  /** Renders a prompt. Only valid while it is ready. */
  render(id: number, request: GenerationRequest, rendering: Rendering): void {
    this.#renderings.add(id, rendering)
    this.#updateBusy()
    if (this.#process.send({ type: "render", id, request: encodeRequest(request) })) return
    this.#renderings.take(id)?.reject(new ShuttingDown(`model '${this.#options.worker.model}'`))
    this.#updateBusy()
  }

  /** Drops a rendering that is no longer wanted. */
  abandon(id: number): void {
    if (this.#renderings.take(id) === undefined) return
    this.#updateBusy()
    this.#options.listener.freed(this)
  }

  #begin(load: LoadPlan): void {
    this.#load = load
    this.#options.observer?.modelLoading(this.#options.worker)
    this.#process.start({ model: this.#workerModel, settings: load.settings, kv: load.kv })
  }

  get #workerModel(): WorkerModel {
    const { name, kind, path, id, defaults } = this.model
    const derivedFolder = join(this.#options.derivedFolder, id)
    return {
      name,
      id,
      kind,
      path,
      derivedFolder,
      ...(defaults !== undefined && { defaults: encodeDefaults(defaults) }),
    }
  }

  #becomeReady(info: LoadedModelInfo, ms: number): void {
    this.#info = info
    this.#measured = undefined
    this.#readyAt = performance.now()
    const { observer, worker, memory, pool, listener } = this.#options
    observer?.modelLoaded(worker, ms)
    memory.changed()
    pool.ready(this, this.footprint, this.#reserved)
    listener.ready(this)
  }

  #loadFailed(error: XllmError): void {
    const { observer, worker, pool, listener, log, labels } = this.#options
    observer?.modelLoadFailed(worker, error.code)
    const load = this.#load
    if (load === undefined) throw new InternalError("a load failed that was not begun")
    const next = afterFailure(load, error)
    if (next === undefined) {
      pool.ending(this)
      listener.loadFailed(this, error)
      return
    }
    this.#notes.push(next.note)
    log.warn("loaded with reduced context or GPU layers", { ...labels, note: next.note })
    this.#next = next.load
  }

  #crashed(error: XllmError): void {
    const { observer, worker, pool, listener } = this.#options
    observer?.workerCrashed(worker)
    this.#forget(error)
    pool.ending(this)
    listener.crashed(this, error)
  }

  #ended(): void {
    const next = this.#next
    this.#next = undefined
    if (next !== undefined) {
      this.#begin(next)
      return
    }
    this.#gone?.resolve()
    this.#gone = undefined
    const { memory, pool, listener } = this.#options
    memory.changed()
    pool.ended(this)
    listener.ended(this)
  }

  /** Fails everything that ran in the process. */
  #forget(error: XllmError): void {
    this.#info = undefined
    this.#counters = NO_COUNTERS
    this.#heldSince = undefined
    this.#prefixAffinity.clear()
    this.#running.failAll(error)
    this.#renderings.failAll(error)
    this.#updateBusy()
  }

  #onMessage(message: WorkMessage): void {
    switch (message.type) {
      case "step":
        if (message.counters !== undefined) this.#counters = message.counters
        if (message.usage !== undefined) this.#options.observer?.step(this.#options.worker, message.usage)
        this.#deliver(message.events)
        return
      case "disk":
        this.#options.observer?.promptsOnDisk(this.#options.worker, message.usage)
        return
      case "footprint":
        this.#remeasured(message)
        return
      case "memory-request":
        this.#askForMemory(message)
        return
      case "rendered":
        this.#renderings.take(message.id)?.resolve(decodeRendered(message.result))
        break
      case "render-failed":
        this.#renderings.take(message.id)?.reject(fromWire(message.error))
        break
      default:
        message satisfies never
    }
    this.#updateBusy()
    this.#options.listener.freed(this)
  }

  #remeasured({ footprint, kv }: Extract<WorkMessage, { readonly type: "footprint" }>): void {
    this.#measured = footprint
    if (kv !== undefined && this.#info?.kind === "text") {
      const { layout: kvLayout, cells: kvCells, bytes: kvBytes } = kv
      this.#info = { ...this.#info, kvLayout, kvCells, kvBytes }
      const { log, labels } = this.#options
      log.info("KV cache resized", { ...labels, kvLayout, kvCells, kvBytes })
    }
    const { pool, memory } = this.#options
    memory.changed()
    pool.remeasured(this, this.footprint, this.#reserved)
  }

  #askForMemory({ id, extra, least }: Extract<WorkMessage, { readonly type: "memory-request" }>): void {
    const { pool, log, labels } = this.#options
    pool.reserve({
      owner: this,
      priority: this.settings.priority,
      amounts: least === undefined ? [extra] : [extra, least],
      decided: (amount) => {
        const granted = amount === undefined ? "no" : amount === 0 ? "all" : "least"
        log.info("model asked for memory", { ...labels, granted, extra, least })
        this.#process.send({ type: "memory-answer", id, granted })
      },
    })
  }

  #deliver(events: WireEvents<WorkEvent>): void {
    const isAnyOver = this.#running.deliver(events, performance.now())
    this.#updateBusy()
    if (isAnyOver) this.#options.listener.freed(this)
  }

  #updateBusy(): void {
    this.#process.setBusy(this.inUse)
  }
}
