import { asXllmError } from "../errors/base"
import { listDevices } from "../llama/devices"
import { Library } from "../llama/library"
import { locateLlama } from "../native/llama-files"
import type { FromProbeWorker, ToProbeWorker } from "../protocol/messages"
import { endWithParent } from "./lifetime"

/** Minimum level of llama.cpp log lines here: errors. */
const LOG_LEVEL = 4

/** Lists the devices of the backends, once, and exits. */
export function runProbeWorker(): void {
  process.once("message", (message: ToProbeWorker) => {
    endWithParent(message.environment.parentPid)
    void probe(message).then((answer) => process.send?.(answer, () => process.exit(0)))
  })
}

async function probe({ environment, useGpu }: ToProbeWorker): Promise<FromProbeWorker> {
  try {
    const files = await locateLlama(environment.runtimeFolder)
    const library = Library.open(files, { useGpu, logDescriptor: 2, logLevel: LOG_LEVEL })
    const { gpuFallback } = library
    return {
      type: "probed",
      devices: listDevices(library),
      llamaVersion: library.version,
      ...(gpuFallback !== undefined && { gpuFallback }),
    }
  } catch (error) {
    return { type: "probe-failed", error: asXllmError(error).toWire() }
  }
}
