import type { GenerationRequest, RenderedPrompt } from "../../domain/chat"
import type { LoadedModel } from "../../domain/loaded-model"
import type { ModelSummary } from "../../domain/model"
import { isGenerationRequest, type WorkRequest } from "../../domain/tasks"
import type { SlotRequest, SlotResult } from "../../domain/slots"
import type { TokensRequest, TokensResult } from "../../domain/tokens"
import { asXllmError, type XllmError } from "../../errors/base"
import { ShuttingDown } from "../../errors/engine"
import { WrongModelKind } from "../../errors/model"
import { refuseHopeless, refuseHopelessText } from "../../protocol/least-tokens"
import type { QueueStatus } from "../contract"
import type { UnloadReason } from "../observer"
import { abortable } from "./abortable"
import { describeReplica } from "./describe-replica"
import { withContextAdvice } from "./longer-context"
import { QueuedRequest } from "./queued-request"
import type { Rendering } from "./renderings"
import type { Replica } from "./replica"
import type { ReplicaSet } from "./replica-set"
import { ReplicaSupervisor, type SupervisorListener, type SupervisorOptions } from "./replica-supervisor"
import { RequestQueue } from "./request-queue"
import type { RequestStream } from "./request-stream"

export interface ModelServerOptions extends SupervisorOptions {
  /** Called when the model may have become idle; may fire repeatedly. */
  readonly becameFree: () => void
}

/** A caller that needs a ready worker. */
interface Waiter {
  readonly use: (replica: Replica) => void
  readonly reject: (error: XllmError) => void
  /** Called with the fraction loaded. */
  readonly loading?: ((fraction: number) => void) | undefined
}

/**
 * The requests for one model, from their arrival on. The only owner of the queue; every change is applied synchronously
 * by an event (a request, a worker's message, a client that disconnects), with no awaits in between.
 */
export class ModelServer {
  /** Its workers. */
  readonly workers: ReplicaSupervisor
  readonly #options: ModelServerOptions
  readonly #queue: RequestQueue
  readonly #waiters = new Set<Waiter>()
  #lastUsedAt: Date | undefined
  /** Taken from the newest request; undefined: the settings decide. */
  #keepAliveSeconds: number | null | undefined
  /** Asked for apart from requests, for those that do not say it themselves; until the model is unloaded. */
  #keptSeconds: number | null | undefined
  #nextId = 1
  /** Prompts being rendered, including those waiting for the load. */
  #renderCount = 0
  /** It waits for memory that other models hold. */
  #waitsForMemory = false

  constructor(summary: ModelSummary, options: ModelServerOptions) {
    this.#options = options
    this.workers = new ReplicaSupervisor(summary, options, this.#listener)
    this.#queue = new RequestQueue(summary.name, options.live().queueLimit, (group) =>
      this.#replicas.runningOf(group),
    )
  }

  get summary(): ModelSummary {
    return this.workers.summary
  }

  get #replicas(): ReplicaSet {
    return this.workers.replicas
  }

  /** The store's answer to lookup number `lookup`. Waiting requests get a worker of a new version. */
  update(summary: ModelSummary, lookup: number): void {
    const { kind: before } = this.summary
    if (!this.workers.update(summary, lookup)) return
    if (summary.kind !== before) this.failWaiting(new WrongModelKind(summary.name, summary.kind))
    this.#wantIfWaiting()
  }

  /** Lookup number `lookup` found no such model. */
  removed(lookup: number): void {
    if (this.workers.removed(lookup)) this.#wantIfWaiting()
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
    if (!this.workers.isReady) queuedRequest.loading(this.#replicas.progress)
    this.workers.want()
    if (!this.workers.isReady) return this.#emitPositions()
    this.#startWaiting(queuedRequest.arrivedAt)
    if (wasEmpty && this.#queue.count > 0) this.#queue.backlogBegan(queuedRequest.arrivedAt)
    this.#settle()
    this.#emitPositions()
  }

  /** @throws QueueFull, Cancelled, ShuttingDown, WorkerCrashed, and the errors of rendering and loading */
  render(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt> {
    return this.#ask(signal, (replica, id, rendering) => {
      const hopeless = this.#whyHopeless(request, refuseHopelessText)
      if (hopeless !== undefined) rendering.reject(hopeless)
      else replica.render(id, request, rendering)
    })
  }

  /** @throws QueueFull, Cancelled, ShuttingDown, WorkerCrashed, and the errors of loading */
  tokens(request: TokensRequest, signal: AbortSignal): Promise<TokensResult> {
    return this.#ask(signal, (replica, id, rendering) => replica.tokens(id, request, rendering))
  }

  /** @throws QueueFull, Cancelled, ShuttingDown, WorkerCrashed, and the errors of loading and of slots */
  slot(request: SlotRequest, signal: AbortSignal): Promise<SlotResult> {
    return this.#ask(signal, (replica, id, rendering) => replica.slot(id, request, rendering))
  }

  /** Has a ready worker do something that takes no slot. */
  async #ask<T>(
    signal: AbortSignal,
    begin: (replica: Replica, id: number, rendering: Rendering<T>) => void,
  ): Promise<T> {
    if (this.#renderCount >= this.#options.live().queueLimit) throw this.#queue.full(this.#renderCount)
    this.#renderCount += 1
    this.#lastUsedAt = new Date()
    try {
      const id = this.#nextId++
      return await abortable<T>(signal, (resolve, reject) => {
        let rendersIn: Replica | undefined
        const use = (replica: Replica) => {
          rendersIn = replica
          begin(replica, id, { resolve, reject })
        }
        const leave = this.#whenReady({ use, reject })
        return () => (leave(), rendersIn?.abandon(id))
      })
    } finally {
      this.#renderCount -= 1
    }
  }

  /** Resolves once a worker is ready. @throws Cancelled, ShuttingDown, and the errors of loading */
  preload(signal: AbortSignal, onProgress?: (fraction: number) => void): Promise<void> {
    return abortable(signal, (resolve, reject) =>
      this.#whenReady({ use: () => resolve(), reject, loading: onProgress }),
    )
  }

  /**
   * Ends the workers and gives up a load that waits; open requests fail with `ShuttingDown`. Resolves once the workers
   * are gone; false where there was nothing to end.
   */
  async stop(reason: UnloadReason): Promise<boolean> {
    const isWanted = this.#isWanted
    const stopped = this.workers.stop(reason)
    this.failWaiting(new ShuttingDown(`model '${this.summary.name}'`))
    return (await stopped) || isWanted
  }

  /** Fails the requests that have not started. */
  failWaiting(error: XllmError): void {
    this.#queue.failAll(error)
    for (const waiter of this.#takeWaiters()) waiter.reject(error)
    this.#waitsForMemory = false
    this.#settle()
  }

  /** Its workers with a live process. */
  describe(): readonly LoadedModel[] {
    const { alive } = this.#replicas
    return alive.flatMap((replica, index) => {
      const queuedRequests = index === 0 ? this.#queue.count : 0
      const { pool, memory } = this.#options
      const mostAvailable = () => pool.most(memory.known())
      const facts = { replica, settings: this.workers.settings, pool, mostAvailable, queuedRequests }
      return describeReplica({ ...facts, lastUsedAt: this.#lastUsedAt }) ?? []
    })
  }

  get queue(): QueueStatus {
    return { model: this.summary.name, running: this.#replicas.runningCount, waiting: this.#queue.count }
  }

  /** Is a request or a rendering open? */
  get inUse(): boolean {
    return this.#queue.count > 0 || this.#replicas.inUse
  }

  /** How long it stays loaded, from now and after every request that does not say it itself; until it is unloaded. */
  keep(seconds: number | null): void {
    this.#keptSeconds = seconds
    this.#keepAliveSeconds = undefined
    this.workers.touch(this.#keepAliveMs)
  }

  /** Called after the settings change: applies what can change without a reload. */
  settingsChanged(): void {
    this.workers.keepFor(this.#keepAliveMs)
  }

  readonly #listener: SupervisorListener = {
    placed: () => {
      this.#waitsForMemory = false
    },
    waits: () => {
      this.#waitsForMemory = true
      this.#emitPositions()
    },
    loading: (fraction) => {
      this.#queue.emitLoading(fraction)
      for (const waiter of this.#waiters) waiter.loading?.(fraction)
    },
    ready: (replica) => this.#becomeReady(replica),
    resumed: () => this.#slotsFreed(),
    freed: () => {
      this.#lastUsedAt = new Date()
      this.#slotsFreed()
    },
    failed: (error) => this.failWaiting(error),
    crashed: () => {
      if (!this.#isWanted) return
      this.workers.want()
      if (!this.workers.isReady) this.#queue.emitLoading(0)
    },
    unloading: (_replica, reason) => {
      this.#keptSeconds = undefined
      // Replicas may have been held back for the model that gets this memory.
      if (this.#queue.count > 0 && (reason === "memory" || reason === "idle")) this.workers.want()
    },
  }

  #becomeReady(replica: Replica): void {
    for (const waiter of this.#takeWaiters()) waiter.use(replica)
    this.#queue.refuseWhere(({ request }) => this.#whyHopeless(request))
    this.#startWaiting(replica.readyAt)
    if (this.#queue.count > 0) this.#queue.backlogBegan(replica.readyAt)
    this.#settle()
    this.#emitPositions()
  }

  /** Adds to the refusal of a prompt that is too long what would allow a longer one. */
  withContextAdvice(error: XllmError): XllmError {
    const info = this.#replicas.ready?.info
    return info?.kind === "text" ? withContextAdvice(error, info, this.workers.settings) : error
  }

  /** Does anything wait for a worker? */
  get #isWanted(): boolean {
    return this.#queue.count + this.#waiters.size > 0
  }

  #wantIfWaiting(): void {
    if (this.#isWanted) this.workers.want()
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
    const asked = [this.#keepAliveSeconds, this.#keptSeconds].find((seconds) => seconds !== undefined)
    const seconds = asked === undefined ? this.workers.settings.keepAliveSeconds : asked
    return seconds === null ? null : seconds * 1000
  }

  /** Slots that are free, or will be once it is loaded. */
  #freeSlots(): number {
    if (!this.workers.isReady) return this.workers.settings.slots
    return this.#replicas.freeSlots
  }

  /** Fills the free slots; returns how many requests it started. */
  #startWaiting(now: number): number {
    return this.#queue.startAll((next) => {
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

  /** The last step of a change: passes on what is in use, and what is no longer wanted. */
  #settle(): void {
    this.workers.reportUse(this.#keepAliveMs)
    if (!this.inUse) this.#options.becameFree()
    if (!this.#isWanted && !this.#replicas.serves()) this.workers.unwant()
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
    if (this.workers.isReady || this.#waitsForMemory) this.#queue.emitPositions()
  }

  /** Calls `use` once a worker is ready, synchronously where one is. Returns a function that cancels the wait. */
  #whenReady(waiter: Waiter): () => void {
    this.workers.want()
    const { ready } = this.#replicas
    if (ready !== undefined) {
      waiter.use(ready)
      this.#settle()
      return () => {}
    }
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
