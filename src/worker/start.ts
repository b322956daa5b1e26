import type { MediaEvent, MediaRequest } from "../domain/tasks"
import { UsageError } from "../errors/cli"
import type { LoadMedia } from "./media-shell"

/** Runs this process as a worker of the given kind until its parent disconnects. */
export async function startWorker(kind: string, rest: readonly string[]): Promise<void> {
  switch (kind) {
    case "text":
      return (await import("./text/worker")).runTextWorker()
    case "tts":
      return await runMedia((await import("./tts/load")).loadTts)
    case "asr":
      return await runMedia((await import("./asr/load")).loadAsr)
    case "image":
      return await runMedia((await import("./diffusion/load")).loadDiffusionModel)
    case "image-sidecar":
      return (await import("./diffusion/exec")).execSidecar(rest)
    case "probe":
      return (await import("./probe")).runProbeWorker()
    default:
      throw new UsageError(`there is no worker of kind '${kind}'`)
  }
}

/** Runs a speech or image model for the parent process until the parent disconnects. */
async function runMedia<R extends MediaRequest, E extends MediaEvent>(load: LoadMedia<R, E>): Promise<void> {
  const { runMediaWorker } = await import("./media-shell")
  runMediaWorker(load)
}
