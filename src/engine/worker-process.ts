import type { LoadedModelInfo, TextModelSettings } from "../domain"
import {
  asXllmError,
  Cancelled,
  fromWire,
  ModelLoadFailed,
  Stopping,
  WorkerCrashed,
  WorkerUnresponsive,
  type XllmError,
} from "../errors"
import { Alarm } from "../lib/alarm"
import type { Logger } from "../log/logger"
import type { FromTextWorker, ToTextWorker } from "../protocol/messages"
import type { EngineLimits } from "./limits"
import { StepWatch } from "./step-watch"
import { WorkerChild, workerEnvironment, type ChildEnd } from "./worker-child"
import type { WorkerLine } from "./worker-lines"

/** What a ready worker says about its work. */
export type WorkMessage = Exclude<FromTextWorker, { readonly type: "ready" | "load-failed" }>

/**
 * The owner of a worker's work. Called from the event loop, one thing at a time, except that `loadFailed` may come
 * during {@link WorkerProcess.wake} where the process cannot even be started.
 */
export interface WorkerListener {
  loading(fraction: number): void
  ready(info: LoadedModelInfo): void
  message(message: WorkMessage): void
  /** The load is over without success. */
  loadFailed(error: XllmError): void
  /** A ready worker is gone, and nobody asked for it. */
  crashed(error: XllmError): void
}

export interface WorkerOptions {
  /** The file to load at the next start. */
  readonly model: () => { readonly name: string; readonly path: string }
  readonly settings: TextModelSettings
  readonly runtimeFolder: string
  readonly command: readonly string[]
  readonly limits: EngineLimits
  readonly log: Logger
  readonly listener: WorkerListener
}

type Child = WorkerChild<ToTextWorker, FromTextWorker>

type Phase =
  | { readonly name: "stopped" }
  | {
      readonly name: "starting"
      readonly child: Child
      readonly startedAt: number
      /** When it last showed life; `performance.now()`. */
      signAt: number
      fraction: number
      /** Why the load failed; its worker is ending, and its last words are still to come. */
      failure: XllmError | undefined
    }
  | { readonly name: "ready"; readonly child: Child; readonly info: LoadedModelInfo; readonly loadedAt: Date }
  | { readonly name: "stopping"; readonly child: Child; restart: boolean }

interface Waiter {
  readonly resolve: (info: LoadedModelInfo) => void
  readonly reject: (error: XllmError) => void
}

const STOPPED: Phase = { name: "stopped" }

/**
 * The worker of one model: stopped → starting → ready → stopping → stopped, with a new process each time round.
 * Others may look at the state to show it; whoever wants another one calls {@link ensureReady}, {@link wake} or
 * {@link stop}, which do what is right in each state.
 */
export class WorkerProcess {
  readonly #options: WorkerOptions
  readonly #waiters = new Set<Waiter>()
  readonly #alarm: Alarm
  #phase: Phase = STOPPED
  #watch: StepWatch

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#watch = new StepWatch(options.limits)
    this.#alarm = new Alarm(
      () => this.#overdueAt(),
      () => this.#overdue(),
    )
  }

  get state(): "stopped" | "starting" | "ready" | "stopping" {
    return this.#phase.name
  }

  get pid(): number | undefined {
    return this.#phase.name === "stopped" ? undefined : this.#phase.child.pid
  }

  /** How much of the model is loaded, from 0 to 1. */
  get progress(): number {
    const phase = this.#phase
    if (phase.name === "starting") return phase.fraction
    return phase.name === "ready" ? 1 : 0
  }

  get loadedAt(): Date | undefined {
    return this.#phase.name === "ready" ? this.#phase.loadedAt : undefined
  }

  /**
   * Ready: resolves. Starting: waits. Stopped: starts and waits. Stopping: waits for the end, then starts.
   * @throws ModelLoadFailed and whatever else the load fails with, Stopping, Cancelled (the load goes on)
   */
  ensureReady(signal: AbortSignal): Promise<LoadedModelInfo> {
    if (signal.aborted) return Promise.reject(new Cancelled())
    if (this.#phase.name === "ready") return Promise.resolve(this.#phase.info)
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter)
        reject(new Cancelled())
      }
      const waiter: Waiter = {
        resolve: (info) => (signal.removeEventListener("abort", leave), resolve(info)),
        reject: (error) => (signal.removeEventListener("abort", leave), reject(error)),
      }
      signal.addEventListener("abort", leave, { once: true })
      this.#waiters.add(waiter)
      this.wake()
    })
  }

  /** {@link ensureReady} for those who hear of the outcome as the listener. */
  wake(): void {
    if (this.#phase.name === "stopped") this.#start()
    else if (this.#phase.name === "stopping") this.#phase.restart = true
  }

  /** False where the worker is not ready or is just dying; the listener hears of it then. */
  send(message: ToTextWorker): boolean {
    return this.#phase.name === "ready" && this.#phase.child.send(message)
  }

  /** Tells whether any work is open: only then is silence a bad sign. */
  setBusy(busy: boolean): void {
    this.#watch.setBusy(busy, performance.now())
    if (busy) this.#alarm.arm()
  }

  /** Ends the worker and waits until it is gone; false where there was none. Those who wait for it get `Stopping`. */
  async stop(): Promise<boolean> {
    const phase = this.#phase
    if (phase.name === "stopped") return false
    if (phase.name === "stopping") phase.restart = false
    else this.#beginStop(phase)
    this.#rejectWaiters(new Stopping(`model '${this.#name}'`))
    await phase.child.ended
    return true
  }

  get #name(): string {
    return this.#options.model().name
  }

  #start(): void {
    const { model, command, limits, runtimeFolder, settings, log } = this.#options
    const { name, path } = model()
    this.#watch = new StepWatch(limits)
    let child: Child
    try {
      child = new WorkerChild(command, limits, {
        message: (message) => this.#heard(child, message),
        line: (line) => this.#read(child, line),
        ended: (end) => this.#ended(child, end),
      })
    } catch (error) {
      this.#loadFailed(asXllmError(error))
      return
    }
    const now = performance.now()
    this.#phase = { name: "starting", child, startedAt: now, signAt: now, fraction: 0, failure: undefined }
    log.info("model loading", { model: name, path, pid: child.pid })
    child.send({
      type: "load",
      environment: workerEnvironment(runtimeFolder),
      model: { name, path },
      settings,
      templateTimeoutMs: limits.templateMs,
    })
    this.#alarm.arm()
  }

  /** A worker that loads cannot hear, and has nothing to lose: it is ended at once. */
  #beginStop(phase: Phase & { readonly name: "starting" | "ready" }): void {
    if (phase.name === "ready" && phase.child.send({ type: "stop" })) phase.child.endWithinGrace()
    else phase.child.kill()
    this.#leaveTo(phase.child)
  }

  /** From here on the child is only waited for. */
  #leaveTo(child: Child): void {
    this.#phase = { name: "stopping", child, restart: false }
    this.#alarm.disarm()
  }

  #heard(child: Child, message: FromTextWorker): void {
    const phase = this.#phase
    if (phase.name === "stopped" || phase.child !== child) return
    if (message.type === "ready") {
      if (phase.name === "starting") this.#becomeReady(phase, message.info)
    } else if (message.type === "load-failed") {
      if (phase.name !== "starting") return
      phase.failure = fromWire(message.error)
      child.endWithinGrace()
    } else if (phase.name === "ready") {
      this.#watch.sign(performance.now())
      this.#options.listener.message(message)
    }
  }

  #becomeReady(phase: Phase & { readonly name: "starting" }, info: LoadedModelInfo): void {
    const { log, listener } = this.#options
    this.#phase = { name: "ready", child: phase.child, info, loadedAt: new Date() }
    this.#alarm.disarm()
    log.info("model loaded", {
      model: this.#name,
      ms: Math.round(performance.now() - phase.startedAt),
      context: info.contextLength,
      slots: info.slots,
      kvLayout: info.kvLayout,
      kvCells: info.kvCells,
      devices: info.devices,
      gpuLayers: `${info.gpuLayers}/${info.totalLayers}`,
      threads: `${info.decodeThreads}/${info.prefillThreads}`,
    })
    if (info.gpuFallback !== undefined) {
      log.warn("no GPU is used", { model: this.#name, reason: info.gpuFallback })
    }
    if (info.chatTemplate === "built-in") {
      log.warn("chat template of the model is missing or unusable, ChatML is used", { model: this.#name })
    }
    listener.ready(info)
    for (const waiter of this.#takeWaiters()) waiter.resolve(info)
  }

  #read(child: Child, line: WorkerLine): void {
    const phase = this.#phase
    if (phase.name === "starting" && phase.child === child) {
      phase.signAt = performance.now()
      if (line.type === "progress") {
        phase.fraction = line.fraction
        this.#options.listener.loading(line.fraction)
      }
    }
    if (line.type === "progress") return
    const fields = { model: this.#name, text: line.text }
    if (line.type === "log" && line.level === "error") this.#options.log.warn("worker error line", fields)
    else this.#options.log.debug("worker line", fields)
  }

  #ended(child: Child, end: ChildEnd): void {
    const phase = this.#phase
    if (phase.name === "stopped" || phase.child !== child) return
    this.#phase = STOPPED
    this.#alarm.disarm()
    const { listener, log } = this.#options
    if (phase.name === "stopping") {
      log.info("model unloaded", { model: this.#name, how: end.how })
      if (phase.restart) this.#start()
      return
    }
    if (phase.name === "starting" && phase.failure !== undefined)
      return this.#loadFailed(withLastWords(phase.failure, end.lastLines))
    log.error("worker crashed", { model: this.#name, while: phase.name, ...end })
    const error = new WorkerCrashed(this.#name, end.how, end.lastLines)
    if (phase.name === "ready") listener.crashed(error)
    else this.#loadFailed(new ModelLoadFailed(this.#name, error.message, error))
  }

  #overdueAt(): number | undefined {
    const phase = this.#phase
    if (phase.name === "starting") return phase.signAt + this.#options.limits.loadSilenceMs
    return phase.name === "ready" ? this.#watch.overdueAt : undefined
  }

  #overdue(): void {
    const phase = this.#phase
    if (phase.name !== "starting" && phase.name !== "ready") return
    const loading = phase.name === "starting"
    const limitMs = loading ? this.#options.limits.loadSilenceMs : this.#watch.limitMs
    const doing = loading ? "while loading" : "while computing a step"
    this.#options.log.error("worker killed by watchdog", { model: this.#name, doing, limitMs })
    const error = new WorkerUnresponsive(this.#name, doing, limitMs, phase.child.lastLines)
    phase.child.kill()
    this.#leaveTo(phase.child)
    if (loading) this.#loadFailed(error)
    else this.#options.listener.crashed(error)
  }

  #loadFailed(error: XllmError): void {
    this.#options.log.error("model load failed", { model: this.#name, error })
    this.#options.listener.loadFailed(error)
    this.#rejectWaiters(error)
  }

  #rejectWaiters(error: XllmError): void {
    for (const waiter of this.#takeWaiters()) waiter.reject(error)
  }

  #takeWaiters(): readonly Waiter[] {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    return waiters
  }
}

/** The same error; where the worker wrote something, with it. */
function withLastWords(error: XllmError, lines: readonly string[]): XllmError {
  if (lines.length === 0) return error
  return fromWire({ ...error.toWire(), message: `${error.message}: ${lines.join(" | ")}` })
}
