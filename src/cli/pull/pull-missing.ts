import type { Settings } from "../../config/resolve"
import type { ModelSummary } from "../../domain/model"
import { UsageError } from "../../errors/cli"
import { InvalidModelName, ModelNotDownloaded, ModelNotFound } from "../../errors/model"
import { Cancelled } from "../../errors/request"
import { DownloadFailed, PullCancelled } from "../../errors/store"
import { isPath } from "../args/model-path"
import type { Io } from "../terminal/io"
import { watchSignals } from "../terminal/signals"
import { pullProgress } from "./pull-progress"
import { createPuller } from "./puller"

export interface MissingModel {
  readonly model: string
  readonly settings: Settings
  readonly io: Io
  /** Finds the model where it will be used. @throws ModelNotFound */
  find(model: string): Promise<string>
}

/**
 * The name of the model that the user refers to; a missing model is downloaded first.
 * @throws ModelNotFound if no source has it, and errors of the download
 */
export async function findOrPull({ model, settings, io, find }: MissingModel): Promise<string> {
  try {
    return await find(model)
  } catch (error) {
    if (!(error instanceof ModelNotFound) || isPath(model)) throw error
    const { name } = await pullMissing(model, settings, io, error.message)
    return await find(name).catch((again: unknown) => {
      if (!(again instanceof ModelNotFound)) throw again
      throw new UsageError(
        `${again.message}; '${name}' is in ${settings.modelsFolder}, which is not where that server has its models`,
      )
    })
  }
}

async function pullMissing(
  model: string,
  settings: Settings,
  io: Io,
  missing: string,
): Promise<ModelSummary> {
  const puller = await createPuller(settings)
  using signals = watchSignals()
  const progress = pullProgress(io)
  try {
    const { signal } = signals
    return await puller.pull({ model, onlyMissing: true, signal, onEvent: (event) => progress.show(event) })
  } catch (error) {
    if (error instanceof Cancelled) throw new PullCancelled(model)
    if (error instanceof InvalidModelName) throw new ModelNotFound(model, `: ${error.reason}`)
    // No source could be reached: the missing model is what the user can act on.
    if (error instanceof DownloadFailed) throw new ModelNotDownloaded(missing, error)
    throw error
  } finally {
    progress.end()
  }
}
