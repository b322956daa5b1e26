import { flagName } from "../../config/load"
import { CannotMeasure } from "../../errors/cli"
import type { Io } from "../terminal/io"
import { exitCodeOf, watchSignals } from "../terminal/signals"
import { checkOutputFile, type OutputOptions, printReport } from "./output"
import { RunProgress } from "./progress"
import { Results } from "./results"

/** What a command that measures works with. */
export interface MeasureRun {
  readonly results: Results
  readonly progress: RunProgress
  /** Aborted by the user: what was measured until then is printed. */
  readonly signal: AbortSignal
}

export interface MeasureRunOptions {
  readonly command: string
  readonly words: readonly string[]
  readonly flags: Readonly<Record<string, unknown>> & OutputOptions
  readonly seed: number
  readonly io: Io
}

/**
 * Measures, and prints the report, also where the user interrupts it or a part fails. The exit code is 1 where anything
 * failed, and the signal's after an interruption.
 * @throws CannotMeasure where nothing could be measured; FileFailed, before anything is measured
 */
export async function withRun(
  { command, words, flags, seed, io }: MeasureRunOptions,
  work: (run: MeasureRun) => Promise<void>,
): Promise<Results> {
  await checkOutputFile(flags)
  using signals = watchSignals()
  const signal = AbortSignal.any([signals.signal, io.outputClosed])
  const results = new Results(commandLine(command, words, flags), seed)
  try {
    using progress = new RunProgress(io)
    await work({ results, progress, signal })
  } catch (error) {
    if (!signal.aborted) {
      if (results.isEmpty) throw error
      results.failure(words.join(" "), error)
    }
  }
  if (signals.signal.aborted) {
    results.isInterrupted = true
    process.exitCode = exitCodeOf(signals.signal)
  }
  const report = results.report()
  const { failures } = report
  if (results.isEmpty && failures.length > 0)
    throw new CannotMeasure(failures.map(({ model, error }) => about(model, error)).join("\n"))
  await printReport(report, flags, io)
  if (failures.length > 0) process.exitCode ||= 1
  return results
}

/** Many errors name their model themselves. */
function about(model: string, error: string): string {
  return error.includes(model) ? error : `${model}: ${error}`
}

/** With which the same run can be started again. */
function commandLine(
  command: string,
  words: readonly string[],
  flags: Readonly<Record<string, unknown>>,
): readonly string[] {
  const given = Object.entries(flags).flatMap(([key, value]) => {
    const name = flagName(key)
    if (typeof value === "boolean") return [value ? `--${name}` : `--no-${name}`]
    return [`--${name}`, Array.isArray(value) ? value.join(",") : String(value)]
  })
  return [command, ...words, ...given]
}
