import { join } from "node:path"
import type { MemoryFootprint } from "../domain/device"
import type { LoadedMediaInfo } from "../domain/loaded-model"
import type { MediaEvent, MediaRequest } from "../domain/tasks"
import { asXllmError } from "../errors/base"
import { Cancelled } from "../errors/request"
import type { FromWorker, ToWorker } from "../protocol/messages"
import { decodeRequest, type RequestEvent } from "../protocol/wire"
import { type CpuLease, openCpuLease } from "./cpu-lease"
import { endWithParent } from "./lifetime"

/** Interval of heartbeats while a worker waits for the CPU lease, in ms. */
const HEARTBEAT_MS = 1000

/**
 * A step gives up its lease after this time, in ms, even while it computes: one that hangs must not block
 * other models.
 */
const LONGEST_LEASE_MS = 10_000

/** Smaller growth is not reported. */
const REPORTED_GROWTH_BYTES = 1024 ** 2

export type LoadMessage<R extends MediaRequest> = Extract<ToWorker<R>, { type: "load" }>

/** A loaded model, as used by the shell. */
export interface MediaEngine<R extends MediaRequest, E extends MediaEvent> {
  readonly info: Omit<LoadedMediaInfo, "footprint">
  /** The memory the model holds now. Absent: this process holds all of it. */
  measure?(): MemoryFootprint
  /**
   * Processes a request; its last event is `done`. A thrown error ends the request. At most `info.slots` run
   * concurrently.
   */
  work(request: R, job: Job<E>): Promise<void>
}

/** One request, as seen by the engine. */
export interface Job<E extends MediaEvent> {
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal
  /** Time in the server's queue, in ms. */
  readonly queueMs: number
  readonly loadMs: number
  /** Sends an event at once. Ignored after a disconnect. */
  emit(event: E): void
  /** Tells the parent that the work continues when there are no events. */
  heartbeat(): void
  /**
   * Runs one step of computation (a sentence, an audio window) while no other step runs, in this process or
   * in others on these cores; steps of several requests take turns. During the step only its own events are
   * sent: a step that hangs must look like one.
   * @throws Cancelled if the client disconnects before it begins
   */
  step<T>(compute: () => Promise<T>): Promise<T>
}

/** Loads a model of one kind. A thrown error is the reply to the load. */
export type LoadMedia<R extends MediaRequest, E extends MediaEvent> = (
  message: LoadMessage<R>,
) => Promise<MediaEngine<R, E>>

/** Runs a model for the parent process until the parent disconnects. */
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
  /** The largest that was reported. */
  #footprint: MemoryFootprint = { ramBytes: 0, devices: [] }
  /** Settles with the last queued step. */
  #lastStep: Promise<unknown> = Promise.resolve()

  constructor(engine: MediaEngine<R, E>, lease: CpuLease | undefined) {
    this.#engine = engine
    this.#lease = lease
  }

  ready(): void {
    this.#footprint = this.#measured()
    this.#send({ type: "ready", info: { ...this.#engine.info, footprint: this.#footprint } })
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
      case "tokens":
      case "slot":
      case "memory-answer":
        return // text workers only
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
          if (event.type === "done") this.#reportGrowth()
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

  /** Queues a step behind earlier ones. */
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
      this.#reportGrowth()
      this.#emit([])
    }
  }

  /** Work takes more memory than the load, and its engine keeps what it has taken. */
  #reportGrowth(): void {
    const footprint = this.#measured()
    if (footprint.ramBytes < this.#footprint.ramBytes + REPORTED_GROWTH_BYTES) return
    this.#footprint = footprint
    this.#send({ type: "footprint", footprint })
  }

  #measured(): MemoryFootprint {
    return this.#engine.measure?.() ?? { ramBytes: process.memoryUsage.rss(), devices: [] }
  }

  /** Waits for the CPU lease, with heartbeats so that the watchdog does not take this worker for hung. */
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
