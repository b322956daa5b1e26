import type { LoadedModelInfo, RopeInfo } from "../../domain/loaded-model"
import type { KvPlan, TextModelSettings } from "../../domain/settings"
import type { WorkEvent, WorkRequest } from "../../domain/tasks"
import { asXllmError, fromWire, InternalError, type XllmError } from "../../errors/base"
import { WorkerCrashed, WorkerUnresponsive } from "../../errors/engine"
import { Alarm } from "../../lib/async/alarm"
import type { Logger } from "../../log/logger"
import type { FromWorker, ToWorker, WorkerModel } from "../../protocol/messages"
import { crashedInLoad, explainLoadFailure } from "./load-failure"
import type { Timeouts } from "./timeouts"
import { Watchdog } from "./watchdog"
import { type ChildEnd, WorkerChild, workerEnvironment } from "./worker-child"
import { textsOfLines, type WorkerLine } from "./worker-lines"

type ToAnyWorker = ToWorker<WorkRequest>
type FromAnyWorker = FromWorker<WorkEvent>

/** A ready worker's messages about its work. */
export type WorkMessage = Exclude<FromAnyWorker, { readonly type: "ready" | "load-failed" }>

/**
 * The owner of a worker's work. Called from the event loop, never from within one of the process's own methods.
 * `ended` is the last call of each start; `loadFailed` or `crashed` precedes it where the end was not requested.
 */
export interface WorkerListener {
  loading(fraction: number): void
  /** `ms`: since the start. */
  ready(info: LoadedModelInfo, ms: number): void
  message(message: WorkMessage): void
  /** The load has failed. */
  loadFailed(error: XllmError): void
  /** A ready worker is gone, or is being ended because it hangs. */
  crashed(error: XllmError): void
  /** The process is gone, and its memory released. */
  ended(): void
}

export interface WorkerOptions {
  /** Identify it in log lines. */
  readonly labels: Readonly<Record<string, unknown>> & { readonly model: string }
  readonly runtimeFolder: string
  readonly command: readonly string[]
  readonly limits: Timeouts
  /** The present upper bound of a step, in ms. */
  readonly mostStepMs: () => number
  readonly log: Logger
  readonly listener: WorkerListener
}

/** What a worker is to load. */
export interface WorkerLoad {
  readonly model: WorkerModel
  readonly settings: TextModelSettings
  /** `null`: its engine has no KV cache. */
  readonly kv: KvPlan | null
}

type Child = WorkerChild<ToAnyWorker, FromAnyWorker>

type Phase =
  | { readonly name: "stopped" }
  | {
      readonly name: "starting"
      readonly child: Child
      readonly model: WorkerModel
      readonly startedAt: number
      /** Time of the last heartbeat; `performance.now()`. */
      signAt: number
      fraction: number
      /** Why the load failed, while the worker is ending and its last output is still to come. */
      failure: XllmError | undefined
    }
  | { readonly name: "ready"; readonly child: Child; readonly info: LoadedModelInfo; readonly loadedAt: Date }
  | { readonly name: "stopping"; readonly child: Child; readonly reason: string }

const STOPPED: Phase = { name: "stopped" }

/**
 * A worker over successive processes: stopped → starting → ready → stopping → stopped, with a new process each time
 * round. Its owner decides when; others may only display the state.
 */
export class WorkerProcess {
  readonly #options: WorkerOptions
  readonly #alarm: Alarm
  #phase: Phase = STOPPED
  #watch: Watchdog

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#watch = new Watchdog(options.limits, options.mostStepMs)
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

  /** Load progress, from 0 to 1. */
  get progress(): number {
    const phase = this.#phase
    if (phase.name === "starting") return phase.fraction
    return phase.name === "ready" ? 1 : 0
  }

  get loadedAt(): Date | undefined {
    return this.#phase.name === "ready" ? this.#phase.loadedAt : undefined
  }

  /** Begins a load; only where there is no process. @throws InternalError where there is one */
  start({ model, settings, kv }: WorkerLoad): void {
    if (this.#phase.name !== "stopped") throw new InternalError("a worker was started that is running")
    const { labels, command, limits, mostStepMs, runtimeFolder, log } = this.#options
    this.#watch = new Watchdog(limits, mostStepMs)
    let child: Child
    try {
      child = new WorkerChild(command, limits, {
        message: (message) => this.#onMessage(child, message),
        line: (line) => this.#read(child, line),
        ended: (end) => this.#ended(child, end),
      })
    } catch (error) {
      // Deferred so listeners never run inside the caller's state change.
      setImmediate(() => this.#notStarted(asXllmError(error)))
      return
    }
    const { batchCosts, ...loadSettings } = settings
    const now = performance.now()
    this.#phase = {
      name: "starting",
      child,
      model,
      startedAt: now,
      signAt: now,
      fraction: 0,
      failure: undefined,
    }
    log.info("model loading", { ...labels, path: model.path, pid: child.pid })
    child.send({
      type: "load",
      environment: workerEnvironment(runtimeFolder),
      model,
      settings: loadSettings,
      ...(kv !== null && { kv }),
      ...(batchCosts !== undefined && { batchCosts }),
      templateTimeoutMs: limits.templateMs,
    })
    this.#alarm.arm()
  }

  /** Returns false where the worker is not ready or is just dying; the listener is then notified. */
  send(message: ToAnyWorker): boolean {
    return this.#phase.name === "ready" && this.#phase.child.send(message)
  }

  /** Sets whether any work is open: only then does silence count against it. */
  setBusy(busy: boolean): void {
    this.#watch.setBusy(busy, performance.now())
    if (busy) this.#alarm.arm()
  }

  /**
   * Ends the process, if there is one; the listener's `ended` follows. `reason` is logged.
   * @param saveMs for how long it may write prompts to disk before
   */
  stop(reason: string, saveMs = 0): void {
    const phase = this.#phase
    if (phase.name !== "starting" && phase.name !== "ready") return
    // A loading worker reads no messages and has nothing to lose: it is killed at once.
    if (phase.name === "ready" && phase.child.send({ type: "stop", saveMs }))
      phase.child.endWithinGrace(saveMs)
    else phase.child.kill()
    this.#leaveTo(phase.child, reason)
  }

  #notStarted(error: XllmError): void {
    this.#loadFailed(error)
    this.#options.listener.ended()
  }

  /** From here on the child's end is only awaited. */
  #leaveTo(child: Child, reason: string): void {
    this.#phase = { name: "stopping", child, reason }
    this.#alarm.disarm()
  }

  #onMessage(child: Child, message: FromAnyWorker): void {
    const phase = this.#phase
    if (phase.name === "stopped" || phase.child !== child) return
    if (message.type === "ready") {
      if (phase.name === "starting") this.#becomeReady(phase, message.info)
    } else if (message.type === "load-failed") {
      if (phase.name !== "starting") return
      phase.failure = fromWire(message.error)
      child.endWithinGrace()
    } else if (message.type === "disk") {
      this.#options.listener.message(message)
    } else if (phase.name === "ready") {
      this.#watch.sign(performance.now())
      this.#options.listener.message(message)
    }
  }

  #becomeReady(phase: Phase & { readonly name: "starting" }, info: LoadedModelInfo): void {
    const { log, listener, labels } = this.#options
    const ms = performance.now() - phase.startedAt
    this.#phase = { name: "ready", child: phase.child, info, loadedAt: new Date() }
    this.#alarm.disarm()
    log.info("model loaded", {
      ...labels,
      ms: Math.round(ms),
      ...loadedFields(info),
    })
    this.#warnOf(info)
    listener.ready(info, ms)
  }

  #warnOf(info: LoadedModelInfo): void {
    if (info.kind !== "text" && info.kind !== "embedding") return
    const { log, labels } = this.#options
    const { gpuFallback } = info
    const templateFallback = info.kind === "text" ? info.templateFallback : undefined
    const eyesFallback = info.kind === "text" ? info.projector?.gpuFallback : undefined
    if (gpuFallback !== undefined) log.warn("no GPU used", { ...labels, reason: gpuFallback })
    if (eyesFallback !== undefined) log.warn("projector not on the GPU", { ...labels, reason: eyesFallback })
    if (templateFallback !== undefined) {
      log.warn("using a built-in chat template", { ...labels, reason: templateFallback })
    }
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
    if (!("text" in line)) return
    const fields = { ...this.#options.labels, text: line.text }
    if (line.type === "log" && line.level === "error") this.#options.log.warn("worker stderr", fields)
    else this.#options.log.debug("worker output", fields)
  }

  #ended(child: Child, end: ChildEnd): void {
    const phase = this.#phase
    if (phase.name === "stopped" || phase.child !== child) return
    this.#phase = STOPPED
    this.#alarm.disarm()
    const { listener, log, labels } = this.#options
    if (phase.name === "stopping") {
      log.info("model unloaded", { ...labels, reason: phase.reason, how: end.how })
    } else if (phase.name === "starting" && phase.failure !== undefined) {
      this.#loadFailed(explainLoadFailure(phase.failure, phase.model, child.lastLines))
    } else {
      log.error("worker crashed", { ...labels, while: phase.name, ...end })
      const error = new WorkerCrashed(labels.model, end.how, end.lastLines)
      if (phase.name === "ready") listener.crashed(error)
      else this.#loadFailed(crashedInLoad(labels.model, end, error))
    }
    listener.ended()
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
    const { labels, log, listener } = this.#options
    log.error("worker killed by watchdog", { ...labels, doing, limitMs })
    const error = new WorkerUnresponsive(labels.model, doing, limitMs, textsOfLines(phase.child.lastLines))
    phase.child.kill()
    this.#leaveTo(phase.child, "unresponsive")
    if (loading) this.#loadFailed(error)
    else listener.crashed(error)
  }

  #loadFailed(error: XllmError): void {
    const { labels, log, listener } = this.#options
    log.error("model load failed", { ...labels, error })
    listener.loadFailed(error)
  }
}

/** Log fields of a loaded model. */
function loadedFields(info: LoadedModelInfo): Readonly<Record<string, unknown>> {
  const { slots, devices } = info
  if (info.kind !== "text") return { family: info.family, slots, devices, threads: info.threads }
  return {
    context: info.contextLength,
    ...(info.rope !== undefined && info.rope.scaling !== "none" && { rope: ropeText(info.rope) }),
    slots,
    kvLayout: info.kvLayout,
    kvCells: info.kvCells,
    ...(info.kvMostCells > info.kvCells && { kvMostCells: info.kvMostCells }),
    devices,
    gpuLayers: `${info.gpuLayers}/${info.totalLayers}`,
    threads: `${info.decodeThreads}/${info.prefillThreads}`,
  }
}

function ropeText({ scaling, freqScale }: RopeInfo): string {
  return `${scaling}, scale ${Number(freqScale.toPrecision(4))}`
}
