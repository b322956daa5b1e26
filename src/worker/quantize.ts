import { asXllmError } from "../errors/base"
import { readImatrix } from "../formats/gguf/imatrix"
import { Library } from "../llama/library"
import { quantizeFile } from "../llama/quantize"
import { locateLlama } from "../native/llama-files"
import type { FromQuantizeWorker, ToQuantizeWorker } from "../protocol/messages"
import { endWithParent } from "./lifetime"

/** Minimum level of llama.cpp log lines here: information, which names each tensor. */
const LOG_LEVEL = 2

/** Quantizes one file, once, and exits. llama.cpp blocks meanwhile, so it is stopped by a signal. */
export function runQuantizeWorker(): void {
  process.once("message", (message: ToQuantizeWorker) => {
    endWithParent(message.environment.parentPid)
    void quantize(message).then((answer) => process.send?.(answer, () => process.exit(0)))
  })
}

async function quantize({ environment, job }: ToQuantizeWorker): Promise<FromQuantizeWorker> {
  try {
    const { imatrix } = job.options
    const importance = imatrix === undefined ? undefined : readImatrix(imatrix)
    const files = await locateLlama(environment.runtimeFolder)
    const library = Library.open(files, { useGpu: false, logDescriptor: 2, logLevel: LOG_LEVEL })
    return { type: "quantized", succeeded: quantizeFile(library, job, importance) }
  } catch (error) {
    return { type: "quantize-failed", error: asXllmError(error).toWire() }
  }
}
