import { fromWire, XllmError } from "../../errors/base"
import { Cancelled } from "../../errors/request"
import type { FromJobWorker, JobRequest, ToJobWorker } from "../../protocol/jobs"
import { DEFAULT_TIMEOUTS } from "./timeouts"
import { WorkerChild, workerEnvironment } from "./worker-child"
import { errorsOfLines } from "./worker-lines"

export interface JobOptions {
  /** Command line of a job worker. */
  readonly command: readonly string[]
  readonly runtimeFolder: string
  readonly signal?: AbortSignal
  /** Called for each line of its log. */
  readonly onLine?: (text: string) => void
  /** Called when a part is done, by jobs that count them. */
  readonly onProgress?: (done: number, total: number) => void
}

/** What a job worker logged when it failed. */
export class JobFailed extends XllmError {
  /** Without what it was that failed. */
  readonly reason: string

  constructor(what: string, reason: string) {
    super("job_failed", 500, `${what} failed: ${reason}`)
    this.reason = reason
  }
}

/**
 * Does a job in a process of its own: it blocks, and what goes wrong may end it.
 * @throws JobFailed with what llama.cpp logged; Cancelled, the process killed
 */
export async function runJob(what: string, request: JobRequest, options: JobOptions): Promise<void> {
  const { command, runtimeFolder, signal, onLine, onProgress } = options
  signal?.throwIfAborted()
  const answer = Promise.withResolvers<Exclude<FromJobWorker, { type: "progress" }>>()
  const child = new WorkerChild<ToJobWorker, FromJobWorker>(command, DEFAULT_TIMEOUTS, {
    message: (message) => {
      if (message.type === "progress") onProgress?.(message.done, message.total)
      else answer.resolve(message)
    },
    line: (line) => {
      if ("text" in line) onLine?.(line.text)
    },
    ended: ({ how, lastLines }) =>
      answer.reject(new JobFailed(what, [`the worker ${how}`, ...lastLines].join("; "))),
  })
  const stop = () => {
    child.kill()
    answer.reject(new Cancelled())
  }
  signal?.addEventListener("abort", stop, { once: true })
  try {
    child.send({ ...request, environment: workerEnvironment(runtimeFolder) })
    const message = await answer.promise
    if (message.type === "job-failed") throw fromWire(message.error)
    await child.ended
    if (message.type === "refused") throw new JobFailed(what, errorsOfLines(child.lastLines).join("; "))
  } finally {
    signal?.removeEventListener("abort", stop)
    child.endWithinGrace()
    await child.ended
  }
}
