import { createInterface } from "node:readline/promises"
import type { Settings } from "../../config/resolve"
import { XllmError } from "../../errors/base"
import type { Io } from "../terminal/io"
import { watchSignals } from "../terminal/signals"
import { pullProgress } from "./pull-progress"
import { createPuller } from "./puller"
import { printable } from "../terminal/output"

/** On a terminal, asks whether to download a damaged model again, and does so. Returns whether it did. */
export async function offerRepair(
  error: unknown,
  model: string,
  settings: Settings,
  io: Io,
): Promise<boolean> {
  if (!(error instanceof XllmError) || error.code !== "model_corrupt") return false
  if (error.details?.["can_repair"] === false) return false
  if (!io.stdinIsTerminal || !io.stderrIsTerminal) return false
  io.writeError(`${printable(error.message)}\n`)
  if (!(await isConfirmed("Download it again now? [y/N] "))) return false
  const puller = await createPuller(settings)
  using signals = watchSignals()
  const progress = pullProgress(io)
  try {
    await puller.repair({ model, signal: signals.signal, onEvent: (event) => progress.show(event) })
  } finally {
    progress.end()
  }
  return true
}

async function isConfirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim())
  } finally {
    terminal.close()
  }
}
