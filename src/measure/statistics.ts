/** A sequence of pseudo-random numbers from 0 up to 1, the same for a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The value at the given fraction (0 to 1) of the sorted values, linearly interpolated. @throws RangeError for none */
export function percentile(values: ArrayLike<number>, fraction: number): number {
  return percentileOfSorted(Float64Array.from(values).sort(), fraction)
}

function percentileOfSorted(sorted: Float64Array, fraction: number): number {
  const place = (sorted.length - 1) * fraction
  const below = sorted[Math.floor(place)]
  const above = sorted[Math.ceil(place)]
  if (below === undefined || above === undefined) throw new RangeError("a percentile of no values")
  return below + (above - below) * (place - Math.floor(place))
}

/** @throws RangeError for an empty list */
export function median(values: ArrayLike<number>): number {
  return percentile(values, 0.5)
}

/** Makes the median absolute deviation of normally distributed values equal to their standard deviation. */
const NORMAL = 1.4826

/** The median absolute deviation, scaled to the standard deviation of a normal distribution. */
export function deviation(values: readonly number[]): number {
  const middle = median(values)
  return NORMAL * median(values.map((value) => Math.abs(value - middle)))
}

/** The middle of some samples, and how far they are from it. */
export interface Summary {
  readonly median: number
  /** Median absolute deviation, scaled to a standard deviation. */
  readonly mad: number
  readonly min: number
  readonly max: number
}

/** @throws RangeError for an empty list */
export function summarize(samples: readonly number[]): Summary {
  return {
    median: median(samples),
    mad: deviation(samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
  }
}

/** Fewer samples have no thirds to speak of. */
const LEAST_FOR_DRIFT = 6

/** How much the last third of the samples differs from the first: 0.05 is 5 % more. Undefined for too few samples. */
export function drift(samples: readonly number[]): number | undefined {
  if (samples.length < LEAST_FOR_DRIFT) return undefined
  const third = Math.floor(samples.length / 3)
  return median(samples.slice(-third)) / median(samples.slice(0, third)) - 1
}
