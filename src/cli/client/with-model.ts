import type { ModelBackend } from "../../engine/contract"
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

/**
 * Runs `work` with the model that the user refers to. Ends without an error message when the user interrupts it or
 * the output's reader closes it.
 */
export async function withModel(
  model: string,
  flags: Readonly<Record<string, unknown>>,
  io: Io,
  work: (parts: ModelWork) => Promise<void>,
): Promise<void> {
  using signals = watchSignals()
  const signal = AbortSignal.any([signals.signal, io.outputClosed])
  const { backend, find } = await openRunner(model, flags, io)
  try {
    await work({ backend, model: await find(model), signal })
  } catch (error) {
    if (!signal.aborted) throw withRightCommand(error, model)
    if (signals.signal.aborted) process.exitCode = exitCodeOf(signals.signal)
  } finally {
    await backend.close()
  }
}
