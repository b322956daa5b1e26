import { Unsupported } from "../errors"
import type { ToWorker } from "../protocol/messages"

/** Stands in for the workers of speech and images where build.ts leaves them out: answers the load with a word on it. */
function refuseLoad(): void {
  process.once("message", (message: ToWorker<never>) => {
    if (message.type !== "load") process.exit(0)
    const { name, kind } = message.model
    const error = new Unsupported(
      `model '${name}' is a ${kind}, and this build of xLLM is for text only; the default one is for all ('npm run build')`,
      "model",
    )
    process.send?.({ type: "load-failed", error: error.toWire() }, () => process.exit(1))
  })
}

export const runVoiceWorker = refuseLoad
export const runRecognizerWorker = refuseLoad
export const runImageWorker = refuseLoad
