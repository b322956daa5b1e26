import { asXllmError } from "../errors/base"
import { Library } from "../llama/library"
import { isAccepted, quantizeModel } from "../llama/quantize"
import { locateLlama } from "../native/llama-files"
import type { FromJobWorker, ToJobWorker } from "../protocol/jobs"
import { endWithParent } from "./lifetime"

/** Minimum levels of llama.cpp's log lines: progress is told by lines for information. */
const LOG_LEVELS = { check: 3, quantize: 2 }

/** Does one job that blocks or may end the process, and exits. */
export function runJobWorker(): void {
  process.once("message", (message: ToJobWorker) => {
    endWithParent(message.environment.parentPid)
    void work(message).then((answer) => process.send?.(answer, () => process.exit(0)))
  })
}

async function work(message: ToJobWorker): Promise<FromJobWorker> {
  try {
    const files = await locateLlama(message.environment.runtimeFolder)
    const logLevel = LOG_LEVELS[message.type]
    const library = Library.open(files, { useGpu: false, logDescriptor: 2, logLevel })
    const isDone =
      message.type === "check"
        ? isAccepted(library, message.paths)
        : quantizeModel(library, message.source, message.target, message.options)
    return { type: isDone ? "done" : "refused" }
  } catch (error) {
    return { type: "job-failed", error: asXllmError(error).toWire() }
  }
}
