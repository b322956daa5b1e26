import { median } from "../src/measure/statistics"

/** The numbers of one repetition, by metric. */
export type Sample = Readonly<Record<string, number>>

/** The median of each metric in the samples. */
export function medianSample(samples: readonly Sample[]): Sample {
  const names = new Set(samples.flatMap((sample) => Object.keys(sample)))
  return Object.fromEntries(
    [...names].map((name) => [name, median(samples.map((sample) => sample[name]).filter(isNumber))]),
  )
}

function isNumber(value: number | undefined): value is number {
  return value !== undefined
}
