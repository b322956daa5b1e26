import { compareUnpaired, verdictOf } from "./paired"
import type { BenchComparison, BenchReport, BenchTest } from "./report"

/** Units of which less is better. */
const TIMES = new Set(["ms", "s", "s/step", "s/min", "× length"])

/** Compares the tests that two reports have in common. Speeds: a ratio above 1 means that the new one is faster. */
export function compareReports(old: BenchReport, current: BenchReport): readonly BenchComparison[] {
  // Files of one model each are compared whatever it is called.
  const byModel = old.models.length > 1 || current.models.length > 1
  const before = new Map(old.tests.map((test) => [keyOf(test, byModel), test]))
  return current.tests.flatMap((test) => {
    const earlier = before.get(keyOf(test, byModel))
    if (earlier === undefined || earlier.unit !== test.unit) return []
    const comparison = compareUnpaired(speeds(earlier), speeds(test))
    return [
      {
        metric: `${test.name} (${test.via})`,
        base: `${earlier.model} of ${old.created}`,
        other: `${test.model} of ${current.created}`,
        ...comparison,
        ci: [...comparison.ci],
        // Without pairs few samples have a narrow interval by chance too often.
        verdict: comparison.p < 0.05 ? verdictOf(comparison) : "no difference shown",
      },
    ]
  })
}

function keyOf({ model, name, via, loaded_with }: BenchTest, byModel: boolean): string {
  return JSON.stringify([byModel ? model : "", name, via, loaded_with ?? null])
}

function speeds({ samples, unit }: BenchTest): readonly number[] {
  return TIMES.has(unit) ? samples.map((sample) => 1 / sample) : samples
}
