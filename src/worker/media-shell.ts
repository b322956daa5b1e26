import { join } from "node:path"
import type { LoadedMediaInfo } from "../domain/loaded-model"
import type { MediaEvent, MediaRequest } from "../domain/tasks"
import { asXllmError } from "../errors/base"
import { Cancelled } from "../errors/request"
import type { FromWorker, ToWorker } from "../protocol/messages"
import { decodeRequest, type RequestEvent } from "../protocol/wire"
import { type CpuLease, openCpuLease } from "./cpu-lease"
import { endWithParent } from "./lifetime"

/** How often a worker that waits for its turn says that it lives, in ms. */
const HEARTBEAT_MS = 1000

/** After so many ms a step gives its turn back while it computes: one that hangs must not stop the other models. */
const LONGEST_LEASE_MS = 10_000

export type LoadMessage<R extends MediaRequest> = Extract<ToWorker<R>, { type: "load" }>

/** A loaded model, as the shell drives it. */
export interface MediaEngine<R extends MediaRequest, E extends MediaEvent> {
  /** Without a footprint: this process holds all that the model takes. */
  readonly info: Omit<LoadedMediaInfo, "footprint"> & Partial<Pick<LoadedMediaInfo, "footprint">>
  /** Does one request; its last event is `done`. What it throws ends the request. At most `info.slots` run at a time. */
  work(request: R, job: Job<E>): Promise<void>
}

/** One request, seen from the engine that does it. */
export interface Job<E extends MediaEvent> {
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal
  /** Waiting before the worker heard of it, in ms. */
  readonly queueMs: number
  readonly loadMs: number
  /** Tells the client, at once. Ignored once it is gone. */
  emit(event: E): void
  /** Tells the parent that the work goes on, where there is nothing to tell of it. */
  heartbeat(): void
  /**
   * Does one step of computing (a sentence, a window of audio) when no other step runs, neither in this process nor in
   * another one on these cores; steps of several requests come by turns. While the step computes nothing is told but
   * what it emits: a step that hangs must look like one.
   * @throws Cancelled where the client is gone before it begins
   */
  step<T>(compute: () => Promise<T>): Promise<T>
}

/** What loads a model of one kind. What it throws is the answer to the load. */
export type LoadMedia<R extends MediaRequest, E extends MediaEvent> = (
  message: LoadMessage<R>,
) => Promise<MediaEngine<R, E>>

/** Runs one model for the parent process, until that ends the connection. */
export function runMediaWorker<R extends MediaRequest, E extends MediaEvent>(load: LoadMedia<R, E>): void {
  let shell: WorkerShell<R, E> | undefined
  process.on("message", (message: ToWorker<R>) => {
    if (message.type === "stop") process.exit(0)
    if (message.type !== "load") return shell?.handle(message)
    endWithParent(message.environment.parentPid)
    void load(message).then(
      (engine) => {
        shell = new WorkerShell(engine, openCpuLease(join(message.environment.runtimeFolder, "turns")))
        shell.ready()
      },
      (error: unknown) =>
        process.send?.({ type: "load-failed", error: asXllmError(error).toWire() }, () => process.exit(1)),
    )
  })
}

class WorkerShell<R extends MediaRequest, E extends MediaEvent> {
  readonly #engine: MediaEngine<R, E>
  readonly #lease: CpuLease | undefined
  readonly #running = new Map<number, AbortController>()
  /** Ends when the last step that was asked for does. */
  #lastStep: Promise<unknown> = Promise.resolve()

  constructor(engine: MediaEngine<R, E>, lease: CpuLease | undefined) {
    this.#engine = engine
    this.#lease = lease
  }

  ready(): void {
    const footprint = { ramBytes: process.memoryUsage.rss(), devices: [] }
    this.#send({ type: "ready", info: { footprint, ...this.#engine.info } })
  }

  handle(message: Exclude<ToWorker<R>, { type: "load" | "stop" }>): void {
    switch (message.type) {
      case "generate":
        return void this.#work(message)
      case "cancel":
        this.#running.get(message.id)?.abort()
        this.#running.delete(message.id)
        return this.#emit([])
      case "render":
        return // of text workers only
      default:
        message satisfies never
    }
  }

  async #work({ id, request, queueMs, loadMs }: Extract<ToWorker<R>, { type: "generate" }>): Promise<void> {
    const controller = new AbortController()
    this.#running.set(id, controller)
    const isOpen = () => this.#running.get(id) === controller
    try {
      await this.#engine.work(decodeRequest(request), {
        signal: controller.signal,
        queueMs,
        loadMs,
        emit: (event) => {
          if (isOpen()) this.#emit([{ id, event }])
        },
        heartbeat: () => this.#emit([]),
        step: (compute) => this.#step(controller.signal, compute),
      })
    } catch (error) {
      if (isOpen()) this.#emit([{ id, error: asXllmError(error).toWire() }])
    } finally {
      if (isOpen()) this.#running.delete(id)
    }
  }

  /** Queues behind the steps that were asked for before. */
  #step<T>(signal: AbortSignal, compute: () => Promise<T>): Promise<T> {
    const step = this.#lastStep.then(() => this.#compute(signal, compute))
    this.#lastStep = step.catch(() => undefined)
    return step
  }

  async #compute<T>(signal: AbortSignal, compute: () => Promise<T>): Promise<T> {
    if (!signal.aborted) await this.#takeTurn()
    const endOfTurn = setTimeout(() => this.#lease?.giveBack(), LONGEST_LEASE_MS)
    try {
      if (signal.aborted) throw new Cancelled()
      return await compute()
    } finally {
      clearTimeout(endOfTurn)
      this.#lease?.giveBack()
      this.#emit([])
    }
  }

  /** Others compute; meanwhile the parent hears that this worker is not the one that hangs. */
  async #takeTurn(): Promise<void> {
    if (this.#lease === undefined || this.#lease.tryTake()) return
    const heartbeats = setInterval(() => this.#emit([]), HEARTBEAT_MS)
    await this.#lease.wait()
    clearInterval(heartbeats)
  }

  #emit(events: readonly RequestEvent<E>[]): void {
    this.#send({ type: "step", events })
  }

  #send(message: FromWorker<E>): void {
    process.send?.(message)
  }
}
