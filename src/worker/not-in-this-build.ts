import type { MediaRequest } from "../domain/tasks"
import { Unsupported } from "../errors/request"
import type { LoadMessage } from "./media-shell"

/** Replaces the loaders of speech and image models in builds without them. @throws Unsupported */
function refuseLoad({ model: { name, kind } }: LoadMessage<MediaRequest>): Promise<never> {
  throw new Unsupported(
    `model '${name}' is a ${kind} model, and this build of xLLM runs text models only; the default build runs all kinds ('npm run build')`,
    "model",
  )
}

export const loadTts = refuseLoad
export const loadAsr = refuseLoad
export const loadDiffusionModel = refuseLoad
