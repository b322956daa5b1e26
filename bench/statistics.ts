/** The value at the given fraction (0 to 1) of the sorted values, linearly interpolated. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = (sorted.length - 1) * fraction
  const below = sorted[Math.floor(place)]
  const above = sorted[Math.ceil(place)]
  if (below === undefined || above === undefined) throw new RangeError("a percentile of no values")
  return below + (above - below) * (place - Math.floor(place))
}

/** @throws RangeError for an empty list */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

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
