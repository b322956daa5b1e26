import type { WindowScores } from "../../measure/work"
import { MeasureProcess } from "../../engine/process/measure-process"
import { type QualityFigures, QualitySums } from "../../measure/quality"
import { workerCommand } from "../serve/compose"
import { contextOf, type DirectRun } from "./direct"
import type { BenchSubject } from "./subject"
import type { Variant } from "./variants"

/** Tokens of a window, as llama-perplexity has them by default. */
const WINDOW_TOKENS = 512

/** A text, and its name in the report. */
export interface ScoredText {
  readonly name: string
  readonly text: string
}

/**
 * Scores a text with all models, and compares each with the first: always two side by side, window by window, so that
 * neither memory nor disk has to hold more than a few rows of probabilities.
 */
export async function scoreAll(
  subjects: readonly BenchSubject[],
  text: ScoredText,
  variant: Variant,
  run: DirectRun,
): Promise<void> {
  const [base, ...others] = subjects
  if (base === undefined) return
  const pairs = others.length === 0 ? [[base]] : others.map((other) => [base, other])
  let isBaseKnown = false
  for (const pair of pairs) {
    const figures = await scorePair(pair, text, variant, run)
    for (const [index, subject] of pair.entries()) {
      const known = figures[index]
      if (known === undefined || (index === 0 && isBaseKnown)) continue
      if (index === 0) isBaseKnown = true
      run.results.quality({ model: subject.label, text: text.name, ...toReport(known) })
    }
    run.signal.throwIfAborted()
  }
}

/** What was scored before an interruption counts. */
async function scorePair(
  pair: readonly BenchSubject[],
  { text }: ScoredText,
  variant: Variant,
  { results, progress, runtimeFolder, signal }: DirectRun,
): Promise<readonly (QualityFigures | undefined)[]> {
  const sums = pair.map(() => new QualitySums())
  const names = pair.map(({ label }) => label).join(" and ")
  progress.begin(`loading ${names}`)
  try {
    await using process = await MeasureProcess.load(
      pair.map(({ details, settings }) => ({
        summary: details,
        settings: { ...settings, gpuLayers: variant.gpuLayers },
      })),
      { runtimeFolder, command: workerCommand("measure"), signal },
    )
    const onWindow = (scores: readonly WindowScores[], index: number, windows: number) => {
      scores.forEach((one, model) => sums[model]?.add(one))
      progress.begin(`scoring with ${names}, window ${index + 1} of ${windows}`)
    }
    await process.score(contextOf(variant), text, WINDOW_TOKENS, onWindow)
  } catch (error) {
    if (!signal.aborted) results.failure(names, error)
  }
  return sums.map((each) => each.figures())
}

function toReport({ windows, tokens, perplexity, perplexityError, bitsPerByte, divergence }: QualityFigures) {
  return {
    windows,
    tokens,
    perplexity,
    perplexity_error: perplexityError,
    bits_per_byte: bitsPerByte,
    ...(divergence !== undefined && {
      divergence: {
        mean: divergence.mean,
        error: divergence.error,
        p99: divergence.p99,
        same_top: divergence.sameTop,
      },
    }),
  }
}
