import { basename } from "node:path"
import type { QuantizeJob } from "../../domain/quantization"
import { fromWire } from "../../errors/base"
import { QuantizationFailed } from "../../errors/model"
import { Cancelled } from "../../errors/request"
import type { FromQuantizeWorker, ToQuantizeWorker } from "../../protocol/messages"
import { DEFAULT_TIMEOUTS } from "../process/timeouts"
import { WorkerChild, workerEnvironment } from "../process/worker-child"
import type { WorkerLine } from "../process/worker-lines"

/** Where the worker process comes from. */
export interface QuantizeWorker {
  readonly command: readonly string[]
  readonly runtimeFolder: string
}

export interface QuantizeProgress {
  /** Tensors that are done, and all. */
  readonly done: number
  readonly total: number
}

export interface QuantizeResult {
  /** Of the weights before and after, as llama.cpp reports it: to about 10 kB. */
  readonly sourceBytes: number
  readonly bytes: number
  readonly tensors: number
  /** Tensors that got another type, because their columns are not divisible by the type's block size. */
  readonly fallbacks: number
  /** The block size of the wanted type. */
  readonly fallbackBlock?: number
}

const MIB = 1024 ** 2

/**
 * Quantizes a model in a process of its own: llama.cpp blocks meanwhile, and may end the process.
 * @throws QuantizationFailed, Cancelled, and the worker's own errors; what was written of the target stays
 */
export async function quantize(
  worker: QuantizeWorker,
  job: QuantizeJob,
  report: (progress: QuantizeProgress) => void,
  signal: AbortSignal,
): Promise<QuantizeResult> {
  signal.throwIfAborted()
  const reader = new QuantizeLog(report)
  const answer = Promise.withResolvers<FromQuantizeWorker>()
  const name = job.quantization.name
  const file = basename(job.source)
  const child = new WorkerChild<ToQuantizeWorker, FromQuantizeWorker>(worker.command, DEFAULT_TIMEOUTS, {
    message: answer.resolve,
    line: (line) => reader.read(line),
    ended: ({ how, lastLines }) =>
      answer.reject(
        signal.aborted
          ? new Cancelled()
          : new QuantizationFailed(file, name, `the process ${how}`, lastLines),
      ),
  })
  const cancel = (): void => child.kill()
  signal.addEventListener("abort", cancel)
  try {
    child.send({ type: "quantize", environment: workerEnvironment(worker.runtimeFolder), job })
    const message = await answer.promise
    // The last lines come by another way than the message.
    await child.ended
    if (message.type === "quantize-failed") throw fromWire(message.error)
    if (!message.succeeded) throw new QuantizationFailed(file, name, reader.failure)
    return reader.result
  } finally {
    signal.removeEventListener("abort", cancel)
    child.kill()
    await child.ended
  }
}

/** Reads llama.cpp's log of a quantization. */
class QuantizeLog {
  readonly #report: (progress: QuantizeProgress) => void
  #tensors = 0
  #sourceBytes = 0
  #bytes = 0
  #fallbacks = 0
  #fallbackBlock: number | undefined
  #reason = "llama.cpp gave no reason"

  constructor(report: (progress: QuantizeProgress) => void) {
    this.#report = report
  }

  get result(): QuantizeResult {
    return {
      sourceBytes: this.#sourceBytes,
      bytes: this.#bytes,
      tensors: this.#tensors,
      fallbacks: this.#fallbacks,
      ...(this.#fallbackBlock !== undefined && { fallbackBlock: this.#fallbackBlock }),
    }
  }

  /** Why it failed, and what to do. */
  get failure(): string {
    const reason = this.#reason
    const requantized = /requantizing from type (\S+) is disabled/.exec(reason)?.[1]
    if (requantized !== undefined) {
      return (
        `its weights are quantized already (${requantized}); quantize the original, or allow it with ` +
        "--allow-requantize, which loses more than quantizing the original"
      )
    }
    const unweighted = /[Mm]issing importance matrix for tensor (\S+)/.exec(reason)?.[1]
    if (unweighted !== undefined)
      return `'${unweighted}' needs an importance matrix; give one with --imatrix FILE`
    return reason
  }

  read(line: WorkerLine): void {
    if (line.type !== "log") return
    const { text } = line
    const [, done, total] = /^\[ *(\d+)\/ *(\d+)\] /.exec(text) ?? []
    if (done !== undefined) {
      this.#tensors = Number(total)
      return this.#report({ done: Number(done) - 1, total: Number(total) })
    }
    const [, which, mebibytes] = /: (model|quant) size +=? *([\d.]+) MiB/.exec(text) ?? []
    if (which === "model") this.#sourceBytes = Number(mebibytes) * MIB
    if (which === "quant") this.#bytes = Number(mebibytes) * MIB
    const block = /not divisible by +(\d+)/.exec(text)?.[1]
    if (block !== undefined) this.#fallbackBlock = Number(block)
    const fallbacks = /WARNING: (\d+) of \d+ tensor\(s\) required fallback/.exec(text)?.[1]
    if (fallbacks !== undefined) this.#fallbacks = Number(fallbacks)
    const reason = /failed to quantize: (.*)$/.exec(text)?.[1]
    if (reason !== undefined) this.#reason = reason.trim()
  }
}
