import type { Device } from "../../domain/device"
import { asXllmError, fromWire, type XllmError } from "../../errors/base"
import { NativeLibraryError, ShuttingDown } from "../../errors/engine"
import { formatSeconds } from "../../lib/text/duration"
import type { Logger } from "../../log/logger"
import type { FromProbeWorker, ToProbeWorker } from "../../protocol/messages"
import type { SystemReport } from "../contract"
import { DEVICES_FRESH_MS, type Timeouts } from "./timeouts"
import { type ChildEnd, WorkerChild, workerEnvironment } from "./worker-child"

export interface DeviceProbeOptions {
  readonly runtimeFolder: string
  /** Command line of a probe worker. */
  readonly command: readonly string[]
  readonly useGpu: boolean
  readonly limits: Timeouts
  readonly log: Logger
}

type Child = WorkerChild<ToProbeWorker, FromProbeWorker>

/**
 * Queries the backends for their devices, each time in a separate process: this process never loads a native
 * library. Without GPUs one query is enough; with GPUs, free memory changes. The next {@link report} retries a
 * failed attempt.
 */
export class DeviceProbe {
  readonly #options: DeviceProbeOptions
  #known: SystemReport | undefined
  /** When the last successful query was sent; `performance.now()`. */
  #queriedAt = 0
  #failure: XllmError | undefined
  #asking: Promise<SystemReport> | undefined
  /** The newest child; it may have ended. */
  #child: Child | undefined
  #peeked = false
  #closed = false

  constructor(options: DeviceProbeOptions) {
    this.#options = options
  }

  /** Why the last attempt failed; undefined where it succeeded. */
  get failure(): XllmError | undefined {
    return this.#failure
  }

  /** The known report, without waiting; starts a query in the background where there is none or it is stale. */
  peek(): SystemReport | undefined {
    if (this.#peeked ? this.#known !== undefined && !this.#isFresh(DEVICES_FRESH_MS) : !this.#closed) {
      this.#peeked = true
      // Already logged, and callers that wait for the report get it again.
      this.report().catch(() => {})
    }
    return this.#known
  }

  /** A report no older than `maxAgeMs`. @throws NativeLibraryError, ShuttingDown, and the worker's own errors */
  async report(maxAgeMs = DEVICES_FRESH_MS): Promise<SystemReport> {
    if (this.#known !== undefined && (this.#closed || this.#isFresh(maxAgeMs))) return this.#known
    if (this.#closed) throw new ShuttingDown("the server")
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined))
    return this.#asking
  }

  /** Cancels a query in progress. */
  async close(): Promise<void> {
    this.#closed = true
    this.#child?.kill()
    await this.#child?.ended
  }

  #isFresh(maxAgeMs: number): boolean {
    return gpusOf(this.#known?.devices ?? []).length === 0 || performance.now() - this.#queriedAt <= maxAgeMs
  }

  async #ask(): Promise<SystemReport> {
    const queriedAt = performance.now()
    try {
      const isFirst = this.#known === undefined
      this.#known = await this.#answer()
      this.#queriedAt = queriedAt
      this.#failure = undefined
      const { llamaVersion, devices, gpuFallback } = this.#known
      const names = devices.map((device) => device.name)
      if (isFirst) this.#options.log.info("devices found", { devices: names, llamaVersion, gpuFallback })
      return this.#known
    } catch (error) {
      this.#failure = asXllmError(error)
      if (!this.#closed) this.#options.log.error("device detection failed", { error })
      throw error
    }
  }

  /** Settles on the first of: an answer, the child's end, the timeout. */
  async #answer(): Promise<SystemReport> {
    const { runtimeFolder, command, useGpu, limits, log } = this.#options
    const answer = Promise.withResolvers<SystemReport>()
    const child: Child = new WorkerChild(command, limits, {
      message: (message) => {
        if (message.type === "probed") answer.resolve(toReport(message))
        else answer.reject(fromWire(message.error))
      },
      line: (line) => {
        if ("text" in line) log.debug("probe output", { text: line.text })
      },
      ended: (end) => answer.reject(this.#closed ? new ShuttingDown("the server") : endedEarly(end)),
    })
    this.#child = child
    const timer = setTimeout(() => answer.reject(tooSlow(limits.probeMs)), limits.probeMs)
    child.send({ type: "probe", environment: workerEnvironment(runtimeFolder), useGpu })
    try {
      return await answer.promise
    } catch (error) {
      child.kill()
      throw asXllmError(error)
    } finally {
      clearTimeout(timer)
      child.endWithinGrace()
    }
  }
}

/** The GPUs that models are placed on: like llama.cpp, integrated ones only where there are no others. */
export function gpusOf(devices: readonly Device[]): readonly Device[] {
  const discrete = devices.filter(({ kind }) => kind === "gpu")
  return discrete.length > 0 ? discrete : devices.filter(({ kind }) => kind === "igpu")
}

function toReport({
  devices,
  llamaVersion,
  gpuFallback,
}: FromProbeWorker & { type: "probed" }): SystemReport {
  return { devices, llamaVersion, gpuFallback }
}

function endedEarly(end: ChildEnd): XllmError {
  return new NativeLibraryError(`the device probe ${end.how}`, undefined, end.lastLines)
}

function tooSlow(limitMs: number): XllmError {
  return new NativeLibraryError(
    `the device probe did not answer within the limit of ${formatSeconds(limitMs)}`,
  )
}
