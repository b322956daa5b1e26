import { asXllmError } from "../errors/base"
import { Library } from "../llama/library"
import { isAccepted, quantizeModel } from "../llama/quantize"
import { locateLlama } from "../native/llama-files"
import type { FromJobWorker, ToJobWorker } from "../protocol/jobs"
import { collectImportance } from "./importance"
import { endWithParent } from "./lifetime"

/** Minimum levels of llama.cpp's log lines: progress is told by lines for information. */
const LOG_LEVELS = { check: 3, quantize: 2, importance: 3 }

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
    const library = Library.open(files, {
      useGpu: message.type === "importance",
      logDescriptor: 2,
      logLevel,
    })
    const isDone = await carryOut(library, message)
    return { type: isDone ? "done" : "refused" }
  } catch (error) {
    return { type: "job-failed", error: asXllmError(error).toWire() }
  }
}

function carryOut(library: Library, message: ToJobWorker): boolean | Promise<boolean> {
  switch (message.type) {
    case "check":
      return isAccepted(library, message.paths)
    case "quantize":
      return quantizeModel(library, message.source, message.target, message.options)
    case "importance":
      return collectImportance({
        library,
        ...message,
        onProgress: (done, total) =>
          void process.send?.({ type: "progress", done, total } satisfies FromJobWorker),
      })
  }
}
