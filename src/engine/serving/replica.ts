import { join } from "node:path"
import type { GenerationRequest, RenderedPrompt } from "../../domain/chat"
import type { LayerPlan, MemoryFootprint } from "../../domain/device"
import type { LoadedModelInfo, ModelState, WorkerCounters } from "../../domain/loaded-model"
import type { ModelSummary } from "../../domain/model"
import type { TextModelSettings } from "../../domain/settings"
import type { WorkEvent } from "../../domain/tasks"
import { fromWire, InternalError, type XllmError } from "../../errors/base"
import { ShuttingDown } from "../../errors/engine"
import type { WorkerModel } from "../../protocol/messages"
import {
  decodeRendered,
  encodeDefaults,
  encodeRequest,
  EventReader,
  type WireEvents,
} from "../../protocol/wire"
import type { EngineObserver, ObservedWorker, UnloadReason } from "../observer"
import { type WorkerOptions, WorkerProcess, type WorkMessage } from "../process/worker-process"
import { afterFailure, footprintOf, type LoadPlan } from "./load-plan"
import { PrefixAffinity } from "./prefix-affinity"
import type { QueuedRequest } from "./queued-request"

/** Callbacks of a replica; called from the event loop, never from within one of its own methods. */
export interface ReplicaListener {
  loading(replica: Replica, fraction: number): void
  ready(replica: Replica): void
  /** Slots became free, or the last rendering finished. */
  freed(replica: Replica): void
  /** It holds more or less memory than before. */
  remeasured(replica: Replica): void
  /** The load failed for good; `ended` follows. */
  loadFailed(replica: Replica, error: XllmError): void
  /** It failed with everything running in it; `ended` follows. */
  crashed(replica: Replica, error: XllmError): void
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
  readonly observer: EngineObserver | undefined
  readonly listener: ReplicaListener
}

interface Rendering {
  readonly resolve: (prompt: RenderedPrompt) => void
  readonly reject: (error: XllmError) => void
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
export class Replica {
  readonly id: string
  readonly model: ModelSummary
  readonly number: number
  readonly #options: ReplicaOptions
  readonly #process: WorkerProcess
  readonly #running = new Map<number, QueuedRequest>()
  readonly #renderings = new Map<number, Rendering>()
  readonly #events = new EventReader<WorkEvent>()
  readonly #prefixAffinity = new PrefixAffinity()
  #taken = 0
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
  heldSince: number | undefined

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
      ? { ramBytes: 0, devices: [] }
      : footprintOf(this.#load, this.#info, this.#measured)
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
    return this.#taken
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

  load(load: LoadPlan): void {
    this.#gone = Promise.withResolvers<void>()
    this.#notes = [...(this.model.defaults?.notes ?? [])]
    this.#begin(load)
  }

  /** Ends its process; running requests fail with `ShuttingDown`. */
  unload(reason: UnloadReason): void {
    this.#next = undefined
    if (this.#info !== undefined) this.#options.observer?.modelUnloaded(this.#options.worker, reason)
    this.#process.stop(reason)
    this.#forget(new ShuttingDown(`model '${this.#options.worker.model}'`))
  }

  /** Starts a request. Only valid while it is ready. */
  start(queuedRequest: QueuedRequest, now: number): void {
    const { id } = queuedRequest
    const request = encodeRequest(queuedRequest.request)
    this.#running.set(id, queuedRequest)
    this.#taken += queuedRequest.slots
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
    if (!this.#remove(queuedRequest)) return false
    this.#process.send({ type: "cancel", id: queuedRequest.id })
    this.#emitBusy()
    return true
  }

  /** Renders a prompt. Only valid while it is ready. */
  render(id: number, request: GenerationRequest, rendering: Rendering): void {
    this.#renderings.set(id, rendering)
    this.#emitBusy()
    if (!this.#process.send({ type: "render", id, request: encodeRequest(request) }))
      this.#takeRendering(id)?.reject(new ShuttingDown(`model '${this.#options.worker.model}'`))
  }

  /** Drops a rendering that is no longer wanted. */
  abandon(id: number): void {
    if (this.#takeRendering(id) !== undefined) this.#options.listener.freed(this)
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
    this.#options.observer?.modelLoaded(this.#options.worker, ms)
    this.#options.listener.ready(this)
  }

  #loadFailed(error: XllmError): void {
    const { observer, worker, listener, log, labels } = this.#options
    observer?.modelLoadFailed(worker, error.code)
    const load = this.#load
    if (load === undefined) throw new InternalError("a load failed that was not begun")
    const next = afterFailure(load, error)
    if (next === undefined) {
      listener.loadFailed(this, error)
      return
    }
    this.#notes.push(next.note)
    log.warn("loaded with reduced context or GPU layers", { ...labels, note: next.note })
    this.#next = next.load
  }

  #crashed(error: XllmError): void {
    this.#options.observer?.workerCrashed(this.#options.worker)
    this.#forget(error)
    this.#options.listener.crashed(this, error)
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
    this.#options.listener.ended(this)
  }

  /** Fails everything that ran in the process. */
  #forget(error: XllmError): void {
    this.#info = undefined
    this.#counters = NO_COUNTERS
    this.heldSince = undefined
    this.#prefixAffinity.clear()
    for (const queuedRequest of [...this.#running.values()]) {
      this.#remove(queuedRequest)
      queuedRequest.fail(error)
    }
    for (const id of [...this.#renderings.keys()]) this.#takeRendering(id)?.reject(error)
    this.#emitBusy()
  }

  #onMessage(message: WorkMessage): void {
    switch (message.type) {
      case "step":
        if (message.counters !== undefined) this.#counters = message.counters
        if (message.usage !== undefined) this.#options.observer?.step(this.#options.worker, message.usage)
        this.#handOver(message.events)
        return
      case "footprint":
        this.#remeasured(message)
        return
      case "memory-request":
        this.#process.send({ type: "memory-answer", id: message.id, granted: "no" })
        return
      case "rendered":
        this.#takeRendering(message.id)?.resolve(decodeRendered(message.result))
        break
      case "render-failed":
        this.#takeRendering(message.id)?.reject(fromWire(message.error))
        break
      default:
        message satisfies never
    }
    this.#options.listener.freed(this)
  }

  #remeasured({ footprint, kv }: Extract<WorkMessage, { readonly type: "footprint" }>): void {
    this.#measured = footprint
    if (kv !== undefined && this.#info?.kind === "text") {
      const { layout: kvLayout, cells: kvCells, bytes: kvBytes } = kv
      this.#info = { ...this.#info, kvLayout, kvCells, kvBytes }
    }
    this.#options.listener.remeasured(this)
  }

  #handOver(events: WireEvents<WorkEvent>): void {
    const now = performance.now()
    let freed = false
    for (const entry of this.#events.read(events)) {
      // A cancelled request may still have events in flight.
      const queuedRequest = this.#running.get(entry.id)
      if (queuedRequest === undefined) continue
      if ("error" in entry) queuedRequest.fail(fromWire(entry.error))
      else if (!queuedRequest.take(entry.event, now)) continue
      this.#remove(queuedRequest)
      freed = true
    }
    this.#emitBusy()
    if (freed) this.#options.listener.freed(this)
  }

  #remove(queuedRequest: QueuedRequest): boolean {
    if (!this.#running.delete(queuedRequest.id)) return false
    this.#events.forget(queuedRequest.id)
    this.#taken -= queuedRequest.slots
    return true
  }

  #takeRendering(id: number): Rendering | undefined {
    const rendering = this.#renderings.get(id)
    this.#renderings.delete(id)
    this.#emitBusy()
    return rendering
  }

  #emitBusy(): void {
    this.#process.setBusy(this.inUse)
  }
}
