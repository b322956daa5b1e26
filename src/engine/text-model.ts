import type {
  GenerationRequest,
  LoadedModel,
  LoadedModelInfo,
  ModelState,
  ModelSummary,
  RenderedPrompt,
  TextModelSettings,
  WorkerCounters,
} from "../domain"
import { Cancelled, fromWire, QueueFull, Stopping, type XllmError } from "../errors"
import type { Logger } from "../log/logger"
import type { RequestEvent } from "../protocol/messages"
import { AdmissionQueue } from "./admission-queue"
import type { Generation } from "./generation"
import type { EngineLimits } from "./limits"
import { ServiceRate } from "./service-rate"
import { WorkerProcess, type WorkMessage } from "./worker-process"

export interface TextModelOptions {
  readonly settings: TextModelSettings
  readonly runtimeFolder: string
  /** Command line of a text worker. */
  readonly command: readonly string[]
  readonly limits: EngineLimits
  /** How many requests may wait for a slot; and how many prompts may be rendered at a time. */
  readonly queueLimit: number
  readonly log: Logger
}

interface Admitted {
  readonly id: number
  readonly generation: Generation
  /** `performance.now()` */
  readonly arrivedAt: number
  /** What its client was told last, or {@link NOT_TOLD}. */
  position: number
}

interface Rendering {
  readonly resolve: (prompt: RenderedPrompt) => void
  readonly reject: (error: XllmError) => void
}

const NOT_TOLD = -1

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
 * One model: its worker, the requests that run in it and those that wait. The only owner of both; every change is made
 * at once by an event (a request, a message of the worker, a client that left), nothing in between waits.
 */
export class TextModel {
  readonly #options: TextModelOptions
  readonly #worker: WorkerProcess
  readonly #queue: AdmissionQueue<Admitted>
  readonly #rate = new ServiceRate()
  readonly #running = new Map<number, Admitted>()
  readonly #renderings = new Map<number, Rendering>()
  #summary: ModelSummary
  /** Undefined while there is no ready worker. */
  #info: LoadedModelInfo | undefined
  #readyAt = 0
  #counters = NO_COUNTERS
  #lastUsedAt: Date | undefined
  #nextId = 1
  /** Prompts being rendered, with those that wait for the load. */
  #renderCount = 0

  constructor(summary: ModelSummary, options: TextModelOptions) {
    this.#summary = summary
    this.#options = options
    this.#queue = new AdmissionQueue(options.queueLimit)
    this.#worker = new WorkerProcess({
      ...options,
      model: () => this.#summary,
      listener: {
        loading: (fraction) => this.#tellLoading(fraction),
        ready: (info) => this.#becomeReady(info),
        message: (message) => this.#hear(message),
        loadFailed: (error) => this.#failAll(error),
        crashed: (error) => this.#crashed(error),
      },
    })
  }

  /** A newer version of the same name's file; it is used from the next load on. */
  update(summary: ModelSummary): void {
    this.#summary = summary
  }

  /** Takes a request in: it runs, waits or fails. */
  join(generation: Generation): void {
    const admitted = { id: this.#nextId++, generation, arrivedAt: performance.now(), position: NOT_TOLD }
    const wasEmpty = this.#queue.waitingCount === 0
    if (!this.#queue.join(admitted, generation.request.n, this.#slots)) {
      generation.fail(this.#queueFull(this.#queue.waitingCount))
      return
    }
    generation.onLeave = () => this.#left(admitted)
    this.#lastUsedAt = new Date()
    if (this.#info === undefined) {
      generation.emit({ type: "loading", fraction: this.#worker.progress })
      this.#worker.wake()
      return
    }
    this.#startWaiting(admitted.arrivedAt)
    if (wasEmpty && this.#queue.waitingCount > 0) this.#rate.backlogBegan(admitted.arrivedAt)
    this.#tellPositions()
  }

  /** @throws QueueFull, Cancelled, Stopping, WorkerCrashed, and what rendering or the load fails with */
  async render(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt> {
    if (this.#renderCount >= this.#options.queueLimit) throw this.#queueFull(this.#renderCount)
    this.#renderCount += 1
    this.#lastUsedAt = new Date()
    try {
      await this.#worker.ensureReady(signal)
      return await this.#renderReady(request, signal)
    } finally {
      this.#renderCount -= 1
    }
  }

  /** @throws Cancelled, Stopping, ModelLoadFailed and whatever else the load fails with */
  async preload(signal: AbortSignal): Promise<void> {
    await this.#worker.ensureReady(signal)
  }

  /** Ends the worker; open requests fail with `Stopping`. Resolves when it is gone; false where there was none. */
  stop(): Promise<boolean> {
    const stopped = this.#worker.stop()
    this.#forgetWorker()
    this.#failAll(new Stopping(`model '${this.#summary.name}'`))
    return stopped
  }

  /** What to show of it; undefined while it has no worker. */
  describe(): LoadedModel | undefined {
    const state = this.#worker.state
    if (state === "stopped") return undefined
    const info = this.#info
    return {
      name: this.#summary.name,
      id: this.#summary.id,
      state: STATES[state],
      progress: this.#worker.progress,
      pid: this.#worker.pid,
      info,
      sizeBytes: info === undefined ? 0 : info.modelBytes + info.kvBytes,
      activeRequests: this.#queue.runningCount,
      queuedRequests: this.#queue.waitingCount,
      loadedAt: this.#worker.loadedAt,
      lastUsedAt: this.#lastUsedAt,
      counters: this.#counters,
    }
  }

  /** How many slots the model has, or will have. */
  get #slots(): number {
    return this.#info?.slots ?? this.#options.settings.slots
  }

  #becomeReady(info: LoadedModelInfo): void {
    this.#info = info
    this.#readyAt = performance.now()
    this.#startWaiting(this.#readyAt)
    if (this.#queue.waitingCount > 0) this.#rate.backlogBegan(this.#readyAt)
    this.#tellPositions()
  }

  /** Fills the free slots. */
  #startWaiting(now: number): void {
    const info = this.#info
    if (info === undefined) return
    let next = this.#queue.startNext(info.slots)
    while (next !== undefined) {
      this.#start(next, now)
      next = this.#queue.startNext(info.slots)
    }
  }

  #start(admitted: Admitted, now: number): void {
    const { id, generation, arrivedAt } = admitted
    const waitingSince = Math.max(arrivedAt, this.#readyAt)
    this.#running.set(id, admitted)
    this.#tellBusy()
    // Where the worker is just dying this is lost; the request then fails with the crash, a moment later.
    const { request } = generation
    const loadMs = waitingSince - arrivedAt
    this.#worker.send({ type: "generate", id, request, queueMs: now - waitingSince, loadMs })
  }

  #hear(message: WorkMessage): void {
    switch (message.type) {
      case "step":
        this.#counters = message.counters
        this.#handOver(message.events)
        return
      case "rendered":
        this.#takeRendering(message.id)?.resolve(message.result)
        return
      case "render-failed":
        this.#takeRendering(message.id)?.reject(fromWire(message.error))
        return
      default:
        message satisfies never
    }
  }

  #handOver(events: readonly RequestEvent[]): void {
    let freed = false
    for (const entry of events) {
      // One that was cancelled may still have had events on their way.
      const admitted = this.#running.get(entry.id)
      if (admitted === undefined) continue
      if ("error" in entry) {
        admitted.generation.fail(fromWire(entry.error))
      } else {
        admitted.generation.emit(entry.event)
        if (entry.event.type !== "done") continue
        admitted.generation.finish()
      }
      this.#remove(admitted)
      freed = true
    }
    if (freed) this.#slotsFreed()
  }

  /**
   * The client has left. Its slots are free at once: the cancel travels ahead of whatever is sent next, so the worker
   * never sees more sequences than it has slots, and no confirmation can get lost.
   */
  #left(admitted: Admitted): void {
    const ran = this.#running.has(admitted.id)
    this.#remove(admitted)
    if (!ran) {
      this.#tellPositions()
      return
    }
    this.#worker.send({ type: "cancel", id: admitted.id })
    this.#slotsFreed()
  }

  #remove(admitted: Admitted): void {
    this.#queue.leave(admitted)
    this.#running.delete(admitted.id)
    this.#lastUsedAt = new Date()
  }

  #slotsFreed(): void {
    const now = performance.now()
    const waited = this.#queue.waitingCount
    this.#startWaiting(now)
    const started = waited - this.#queue.waitingCount
    for (let count = 0; count < started; count++) this.#rate.started(now)
    this.#tellBusy()
    if (started > 0) this.#tellPositions()
  }

  /** Those that ran are lost with the worker; those that waited get a new one. */
  #crashed(error: XllmError): void {
    this.#forgetWorker()
    const waiting = new Set(this.#queue.waiting())
    this.#failAll(error, waiting)
    if (waiting.size === 0) return
    this.#worker.wake()
    this.#tellLoading(0)
  }

  #forgetWorker(): void {
    this.#info = undefined
    this.#counters = NO_COUNTERS
  }

  /** Fails everything that is open, except those named. */
  #failAll(error: XllmError, except: ReadonlySet<Admitted> = new Set()): void {
    for (const admitted of [...this.#queue.running(), ...this.#queue.waiting()]) {
      if (except.has(admitted)) continue
      this.#remove(admitted)
      admitted.generation.fail(error)
    }
    for (const id of [...this.#renderings.keys()]) this.#takeRendering(id)?.reject(error)
    this.#tellBusy()
  }

  #tellBusy(): void {
    this.#worker.setBusy(this.#running.size + this.#renderings.size > 0)
  }

  #tellLoading(fraction: number): void {
    for (const { generation } of this.#queue.waiting()) generation.emit({ type: "loading", fraction })
  }

  #tellPositions(): void {
    if (this.#info === undefined) return
    let position = 0
    for (const admitted of this.#queue.waiting()) {
      if (admitted.position !== position) {
        admitted.position = position
        admitted.generation.emit({ type: "queued", position })
      }
      position += 1
    }
  }

  #queueFull(waiting: number): QueueFull {
    return new QueueFull(this.#summary.name, waiting, this.#rate.retryAfterSeconds(waiting))
  }

  #renderReady(request: GenerationRequest, signal: AbortSignal): Promise<RenderedPrompt> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const leave = () => this.#takeRendering(id)?.reject(new Cancelled())
      signal.addEventListener("abort", leave, { once: true })
      this.#renderings.set(id, {
        resolve: (prompt) => (signal.removeEventListener("abort", leave), resolve(prompt)),
        reject: (error) => (signal.removeEventListener("abort", leave), reject(error)),
      })
      this.#tellBusy()
      if (this.#worker.send({ type: "render", id, request })) return
      this.#takeRendering(id)?.reject(new Stopping(`model '${this.#summary.name}'`))
    })
  }

  #takeRendering(id: number): Rendering | undefined {
    const rendering = this.#renderings.get(id)
    this.#renderings.delete(id)
    this.#tellBusy()
    return rendering
  }
}
