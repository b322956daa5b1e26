import { median, percentile, seededRandom } from "./statistics"

/** How much faster (or larger) B is than A, from pairs of samples that were taken side by side. */
export interface PairedComparison {
  /** B's value divided by A's: the median over the pairs. */
  readonly ratio: number
  /** 95 % of the medians of resampled pairs are within. */
  readonly ci: readonly [number, number]
  /** How often pairs without a difference would show one at least as large. */
  readonly p: number
  /** Pairs. */
  readonly n: number
}

type SpeedVerdict = "faster" | "slower" | "no difference shown"

/** Differences below this may be real, but are no reason to choose. */
const LEAST_DIFFERENCE = 0.02

const RESAMPLES = 4000
const RESAMPLING_SEED = 1

/** With fewer pairs the interval is a matter of luck. */
const LEAST_PAIRS = 5

/** Whose turn it is, pair by pair: A B, B A, A B, … so that a steady drift of the machine cancels out. */
export function turnsOf<T>(models: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? models : models.toReversed()
}

/** @throws RangeError for samples that are no pairs */
export function comparePairs(a: readonly number[], b: readonly number[]): PairedComparison {
  const n = Math.min(a.length, b.length)
  const logs = Array.from({ length: n }, (_, pair) => Math.log((b[pair] ?? NaN) / (a[pair] ?? NaN)))
  const random = seededRandom(RESAMPLING_SEED)
  const resampled = Float64Array.from({ length: RESAMPLES }, () =>
    median(logs.map(() => logs[Math.floor(random() * n)] ?? NaN)),
  )
  const middle = median(logs)
  return {
    ratio: Math.exp(middle),
    ci: [Math.exp(percentile(resampled, 0.025)), Math.exp(percentile(resampled, 0.975))],
    p: signFlips(logs, random),
    n,
  }
}

/** The share of random reversals of A and B within the pairs whose median is at least as far from 0. */
function signFlips(logs: readonly number[], random: () => number): number {
  const observed = Math.abs(median(logs))
  let asLarge = 0
  for (let i = 0; i < RESAMPLES; i++) {
    const flipped = logs.map((log) => (random() < 0.5 ? log : -log))
    if (Math.abs(median(flipped)) >= observed - 1e-12) asLarge++
  }
  return (asLarge + 1) / (RESAMPLES + 1)
}

/** What the pairs show of B, whose samples are rates: more is better. */
export function verdictOf({ ratio, ci: [low, high], n }: PairedComparison): SpeedVerdict {
  const excludesNone = low > 1 || high < 1
  if (n < LEAST_PAIRS || !excludesNone || Math.abs(ratio - 1) <= LEAST_DIFFERENCE)
    return "no difference shown"
  return ratio > 1 ? "faster" : "slower"
}

/** Two lists of samples that were not taken in turns: every combination counts as a pair, by their order. */
export function compareUnpaired(a: readonly number[], b: readonly number[]): PairedComparison {
  const random = seededRandom(RESAMPLING_SEED)
  const draw = (values: readonly number[]) =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? NaN))
  const logs = Float64Array.from({ length: RESAMPLES }, () => Math.log(draw(b) / draw(a)))
  return {
    ratio: median(b) / median(a),
    ci: [Math.exp(percentile(logs, 0.025)), Math.exp(percentile(logs, 0.975))],
    p: shuffles(a, b, random),
    n: Math.min(a.length, b.length),
  }
}

/** The share of random divisions of all samples into two lists whose ranks differ at least as much. */
function shuffles(a: readonly number[], b: readonly number[], random: () => number): number {
  const ranks = ranksOf([...a, ...b])
  const expected = (a.length * (ranks.length + 1)) / 2
  const difference = () => {
    let sum = 0
    for (let at = 0; at < a.length; at++) sum += ranks[at] ?? 0
    return Math.abs(sum - expected)
  }
  const observed = difference()
  let asLarge = 0
  for (let i = 0; i < RESAMPLES; i++) {
    for (let at = ranks.length - 1; at > 0; at--) {
      const other = Math.floor(random() * (at + 1))
      const [here, there] = [ranks[at] ?? 0, ranks[other] ?? 0]
      ranks[at] = there
      ranks[other] = here
    }
    if (difference() >= observed - 1e-9) asLarge++
  }
  return (asLarge + 1) / (RESAMPLES + 1)
}

/** The place of each value among all, from 1; equal ones share the middle of their places. */
function ranksOf(values: readonly number[]): number[] {
  return values.map((value) => {
    const [below, equal] = [
      values.filter((other) => other < value).length,
      values.filter((other) => other === value).length,
    ]
    return below + (equal + 1) / 2
  })
}
