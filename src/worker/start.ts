import { UsageError } from "../errors"

/** Runs this process as a worker of the given kind, until its parent has no more use for it. */
export async function startWorker(kind: string, rest: readonly string[]): Promise<void> {
  switch (kind) {
    case "text":
      return (await import("./text/worker")).runTextWorker()
    case "voice":
      return (await import("./speech/voice/worker")).runVoiceWorker()
    case "recognizer":
      return (await import("./speech/recognizer/worker")).runRecognizerWorker()
    case "image":
      return (await import("./image/worker")).runImageWorker()
    case "image-sidecar":
      return (await import("./image/exec")).execSidecar(rest)
    case "probe":
      return (await import("./probe")).runProbeWorker()
    default:
      throw new UsageError(`there is no worker of kind '${kind}'`)
  }
}
