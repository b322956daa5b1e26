import { stat } from "node:fs/promises"
import { readSettings, type Settings } from "../../config/resolve"
import type { ModelBackend } from "../../engine/contract"
import { UsageError } from "../../errors/cli"
import { formatSize } from "../../lib/text/bytes"
import { withRightCommand } from "../models/wrong-kind"
import type { Io } from "../terminal/io"
import { exitCodeOf, watchSignals } from "../terminal/signals"
import { openRunner } from "./runner"

/** A model to work with; the signal is aborted when the result is no longer needed. */
export interface ModelWork {
  readonly backend: ModelBackend
  readonly model: string
  readonly signal: AbortSignal
}

export interface WithModelOptions {
  readonly flags: Readonly<Record<string, unknown>>
  readonly io: Io
  /** The files that the work reads. A server limits their size; without one the same limit holds. */
  readonly files?: readonly string[]
}

/**
 * Runs `work` with the model that the user refers to. Ends without an error message when the user interrupts it or
 * the output's reader closes it.
 * @throws UsageError for a file that is too large
 */
export async function withModel(
  model: string,
  { flags, io, files = [] }: WithModelOptions,
  work: (parts: ModelWork) => Promise<void>,
): Promise<void> {
  using signals = watchSignals()
  const signal = AbortSignal.any([signals.signal, io.outputClosed])
  const { backend, find, server } = await openRunner(model, flags, io)
  try {
    if (server === undefined) await checkSizes(files, (await readSettings(flags, io.environment)).access)
    await work({ backend, model: await find(model), signal })
  } catch (error) {
    if (!signal.aborted) throw withRightCommand(error, model)
    if (signals.signal.aborted) process.exitCode = exitCodeOf(signals.signal)
  } finally {
    await backend.close()
  }
}

async function checkSizes(files: readonly string[], { uploadLimitBytes }: Settings["access"]): Promise<void> {
  for (const file of files) {
    const { size } = await stat(file)
    if (size <= uploadLimitBytes) continue
    throw new UsageError(
      `${file} has ${formatSize(size)}, more than limits.upload allows (${formatSize(uploadLimitBytes)})`,
    )
  }
}
