import type { ModelKind } from "../domain/model"
import { isModelKind, type MediaEvent, type MediaRequest } from "../domain/tasks"
import { UsageError } from "../errors/cli"
import type { LoadMedia } from "./media-shell"

/** How a worker for models of each kind is run. */
const WORKERS: Readonly<Record<ModelKind, () => Promise<void>>> = {
  text: async () => (await import("./text/start")).runTextWorker(),
  embedding: async () => (await import("./embedding/worker")).runEmbeddingWorker(),
  tts: async () => await runMedia((await import("./tts/load")).loadTts),
  asr: async () => await runMedia((await import("./asr/load")).loadAsr),
  image: async () => await runMedia((await import("./diffusion/load")).loadDiffusionModel),
}

/** Runs this process as a worker of the given kind, until its parent has no more use for it. */
export async function startWorker(kind: string, rest: readonly string[]): Promise<void> {
  if (isModelKind(kind)) return await WORKERS[kind]()
  switch (kind) {
    case "image-sidecar":
      return (await import("./diffusion/exec")).execSidecar(rest)
    case "picture":
      return await (await import("./picture/run")).runPictureWorker(rest)
    case "probe":
      return (await import("./probe")).runProbeWorker()
    case "measure":
      return (await import("./measure/worker")).runMeasureWorker()
    case "job":
      return (await import("./job")).runJobWorker()
    default:
      throw new UsageError(`there is no worker of kind '${kind}'`)
  }
}

/** Runs a speech or image model for the parent process until the parent disconnects. */
async function runMedia<R extends MediaRequest, E extends MediaEvent>(load: LoadMedia<R, E>): Promise<void> {
  const { runMediaWorker } = await import("./media-shell")
  runMediaWorker(load)
}
