import { join } from "node:path"
import type { GenerationRequest, RenderedPrompt } from "../../domain/chat"
import {
  type LoadedModelInfo,
  type ModelState,
  NO_COUNTERS,
  type WorkerCounters,
} from "../../domain/loaded-model"
import type { ModelSummary } from "../../domain/model"
import type { ModelSettings } from "../../domain/settings"
import type { WorkEvent } from "../../domain/tasks"
import type { SlotRequest, SlotResult } from "../../domain/slots"
import type { TokensRequest, TokensResult } from "../../domain/tokens"
import { fromWire, type XllmError } from "../../errors/base"
import { ShuttingDown } from "../../errors/engine"
import type { WorkerModel } from "../../protocol/messages"
import { decodeRendered, encodeDefaults, encodeRequest, type WireEvents } from "../../protocol/wire"
import type { EngineObserver, ObservedWorker, UnloadReason } from "../observer"
import { observeCounters } from "../process/worker-counts"
import { type WorkerOptions, WorkerProcess, type WorkMessage } from "../process/worker-process"
import type { Fit } from "../residency/eviction"
import type { MemoryReader } from "../residency/memory-reader"
import type { Pool } from "../residency/pool"
import type { PoolMember } from "../residency/pool-entry"
import { type LoadPlan, toLoadPlan } from "./load-plan"
import { LoadState } from "./load-state"
import { PrefixAffinity } from "./prefix-affinity"
import type { QueuedRequest } from "./queued-request"
import { OpenQuestions, type Rendering, type Renderings } from "./renderings"
import { RunningRequests } from "./running-requests"

/** Callbacks of a replica for its model. The pool already knows of each change. */
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
  /** Changed by the replica only, as is `running`. */
  readonly loadState = new LoadState()
  readonly running = new RunningRequests()
  readonly prefixes = new PrefixAffinity()
  readonly #options: ReplicaOptions
  readonly #process: WorkerProcess
  readonly #questions = new OpenQuestions()
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
    return this.loadState.info
  }

  get counters(): WorkerCounters {
    return this.#counters
  }

  get slots(): number {
    return this.info?.slots ?? 0
  }

  get inUse(): boolean {
    return this.running.size + this.#questions.size > 0
  }

  /** Settles when its present process is gone. */
  get whenGone(): Promise<void> {
    return this.#gone?.promise ?? Promise.resolve()
  }

  load(fit: Fit): void {
    const { log, memory, worker, listener } = this.#options
    const { settings } = this
    const load = toLoadPlan({ settings, fit, offload: memory.offload })
    const limit = this.loadState.begin(load, this.model.defaults?.notes ?? [])
    log.info("model placed", { model: worker.model, plan: load.plan.explanation, limit })
    this.#gone = Promise.withResolvers<void>()
    listener.placed(this)
    this.#begin(load)
  }

  /** Ends its process, once it has written prompts to disk; running requests fail with `ShuttingDown`. */
  unload(reason: UnloadReason): void {
    this.loadState.giveUp()
    if (this.info !== undefined) this.#options.observer?.modelUnloaded(this.#options.worker, reason)
    const keepsPrompts = this.loadState.plan?.wanted.promptsOnDisk !== undefined
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
    if (this.info === undefined || this.running.takenOf(this.slots) >= this.slots) return false
    return this.#heldSince === undefined || arrivedAt <= this.#heldSince
  }

  /** Starts a request. Only valid while it is ready. */
  start(queuedRequest: QueuedRequest, now: number): void {
    const { id } = queuedRequest
    const request = encodeRequest(queuedRequest.request)
    this.running.add(queuedRequest)
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
    if (!this.running.remove(queuedRequest)) return false
    this.#process.send({ type: "cancel", id: queuedRequest.id })
    this.#updateBusy()
    return true
  }

  /** Renders a prompt. Only valid while it is ready. */
  render(id: number, request: GenerationRequest, rendering: Rendering<RenderedPrompt>): void {
    this.#ask(this.#questions.prompts, id, rendering, { type: "render", id, request: encodeRequest(request) })
  }

  /** Turns a text into tokens, or tokens into a text. Only valid while it is ready. */
  tokens(id: number, request: TokensRequest, rendering: Rendering<TokensResult>): void {
    this.#ask(this.#questions.tokens, id, rendering, { type: "tokens", id, request })
  }

  /** Saves, restores or erases what a slot has cached. Only valid while it is ready. */
  slot(id: number, request: SlotRequest, rendering: Rendering<SlotResult>): void {
    this.#ask(this.#questions.slots, id, rendering, { type: "slot", id, request })
  }

  #ask<T>(
    open: Renderings<T>,
    id: number,
    rendering: Rendering<T>,
    message: Parameters<WorkerProcess["send"]>[0],
  ): void {
    open.add(id, rendering)
    this.#updateBusy()
    if (this.#process.send(message)) return
    open.take(id)?.reject(new ShuttingDown(`model '${this.#options.worker.model}'`))
    this.#updateBusy()
  }

  /** Drops a rendering that is no longer wanted. */
  abandon(id: number): void {
    // It may wait for a slot.
    if (this.#questions.slots.take(id) !== undefined) this.#process.send({ type: "cancel", id })
    else if (this.#questions.take(id) === undefined) return
    this.#updateBusy()
    this.#options.listener.freed(this)
  }

  #begin(load: LoadPlan): void {
    this.#options.observer?.modelLoading(this.#options.worker)
    this.#process.start({ model: this.#workerModel, settings: load.settings, kv: load.kv })
  }

  get #workerModel(): WorkerModel {
    const { name, kind, path, id, defaults, parts } = this.model
    const derivedFolder = join(this.#options.derivedFolder, id)
    return {
      name,
      id,
      kind,
      path,
      derivedFolder,
      ...(defaults !== undefined && { defaults: encodeDefaults(defaults) }),
      ...(parts !== undefined && { parts }),
    }
  }

  #becomeReady(info: LoadedModelInfo, ms: number): void {
    this.loadState.loaded(info)
    this.#readyAt = performance.now()
    const { observer, worker, memory, pool, listener } = this.#options
    observer?.modelLoaded(worker, ms)
    memory.changed()
    pool.ready(this, this.loadState.footprint, this.loadState.reserved)
    listener.ready(this)
  }

  #loadFailed(error: XllmError): void {
    const { observer, worker, pool, listener, log, labels } = this.#options
    observer?.modelLoadFailed(worker, error.code)
    const note = this.loadState.failed(error)
    if (note !== undefined) {
      log.warn("loaded with reduced context or GPU layers", { ...labels, note })
      return
    }
    pool.ending(this)
    listener.loadFailed(this, error)
  }

  #crashed(error: XllmError): void {
    const { observer, worker, pool, listener } = this.#options
    observer?.workerCrashed(worker)
    this.#forget(error)
    pool.ending(this)
    listener.crashed(this, error)
  }

  #ended(): void {
    const next = this.loadState.retry()
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
    this.loadState.ended()
    this.#counters = NO_COUNTERS
    this.#heldSince = undefined
    this.prefixes.clear()
    this.running.failAll(error)
    this.#questions.failAll(error)
    this.#updateBusy()
  }

  #onMessage(message: WorkMessage): void {
    const { observer, worker } = this.#options
    switch (message.type) {
      case "step":
        if (message.counters !== undefined) {
          observeCounters(observer, worker, this.#counters, message.counters)
          this.#counters = message.counters
        }
        if (message.usage !== undefined) observer?.step(worker, message.usage)
        this.#deliver(message.events)
        return
      case "disk":
        observer?.promptsOnDisk(worker, message.usage)
        return
      case "footprint":
        this.#remeasured(message)
        return
      case "memory-request":
        this.#requestMemory(message)
        return
      case "rendered":
        this.#questions.prompts.take(message.id)?.resolve(decodeRendered(message.result))
        break
      case "render-failed":
        this.#questions.take(message.id)?.reject(fromWire(message.error))
        break
      case "tokens":
        this.#questions.tokens.take(message.id)?.resolve(message.result)
        break
      case "slot":
        this.#questions.slots.take(message.id)?.resolve(message.result)
        break
      default:
        message satisfies never
    }
    this.#updateBusy()
    this.#options.listener.freed(this)
  }

  #remeasured({ footprint, kv }: Extract<WorkMessage, { readonly type: "footprint" }>): void {
    const { pool, memory, log, labels } = this.#options
    this.loadState.remeasured(footprint, kv)
    if (kv !== undefined) log.info("KV cache resized", { ...labels, ...kv })
    memory.changed()
    pool.remeasured(this, this.loadState.footprint, this.loadState.reserved)
  }

  #requestMemory({ id, extra, least }: Extract<WorkMessage, { readonly type: "memory-request" }>): void {
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
    const isAnyOver = this.running.deliver(events, performance.now())
    this.#updateBusy()
    if (isAnyOver) this.#options.listener.freed(this)
  }

  #updateBusy(): void {
    this.#process.setBusy(this.inUse)
  }
}
