import { describe, expect, test } from "bun:test"
import { comparePairs, compareUnpaired, turnsOf, verdictOf } from "../../src/measure/paired"
import { reasonsForDoubt } from "../../src/measure/stability"
import { deviation, drift, percentile, seededRandom, summarize } from "../../src/measure/statistics"

describe("samples", () => {
  test.each([
    [[5], { median: 5, mad: 0, min: 5, max: 5 }],
    [[1, 2, 3, 4], { median: 2.5, mad: 1.4826, min: 1, max: 4 }],
    // llama-bench once printed 61 ± 85 for these: one other job, and the mean says nothing.
    [[178, 210, 19, 181, 180], { median: 180, mad: 1.4826 * 2, min: 19, max: 210 }],
  ])("%p are summarized by their middle", (samples, expected) => {
    const { median, mad, min, max } = summarize(samples)
    expect({ median, min, max }).toEqual({ median: expected.median, min: expected.min, max: expected.max })
    expect(mad).toBeCloseTo(expected.mad, 10)
  })

  test("percentiles lie between the samples, whatever their order", () => {
    expect(percentile([30, 10, 20], 0.5)).toBe(20)
    expect(percentile([0, 100], 0.99)).toBe(99)
    expect(() => percentile([], 0.5)).toThrow("no values")
    expect(deviation([7, 7, 7])).toBe(0)
  })

  test("drift is the change from the first third to the last", () => {
    expect(drift([100, 100, 100, 100, 90, 90])).toBeCloseTo(-0.1, 10)
    expect(drift([1, 2, 3])).toBeUndefined()
  })
})

/** A machine's speeds: noise of `spread`, a slow drift, and moments in which another program computes. */
function machine(seed: number, spread = 0.02): (slowness?: number) => number {
  const random = seededRandom(seed)
  let turn = 0
  return (slowness = 1) => {
    turn++
    const noise = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const disturbed = random() < 0.08 ? 0.6 : 1
    return ((100 * Math.exp(spread * noise) * disturbed) / slowness) * (1 - 0.002 * turn)
  }
}

/** `pairs` in ABBA order; B takes `slowness` times as long. */
function recorded(seed: number, slowness: number, pairs = 12) {
  const speed = machine(seed)
  const samples = { a: [] as number[], b: [] as number[] }
  for (let round = 0; round < pairs; round++)
    for (const name of turnsOf(["a", "b"] as const, round))
      samples[name].push(speed(name === "b" ? slowness : 1))
  return comparePairs(samples.a, samples.b)
}

describe("pairs", () => {
  const seeds = Array.from({ length: 50 }, (_, index) => 1000 + index)

  test("of two copies show no difference in at least 48 of 50 runs", () => {
    const different = seeds.filter((seed) => verdictOf(recorded(seed, 1)) !== "no difference shown")
    expect(different.length).toBeLessThanOrEqual(2)
  })

  test("show a copy that is 5 % slower, and one that is faster", () => {
    const found = (slowness: number, verdict: string) =>
      seeds.filter((seed) => verdictOf(recorded(seed, slowness)) === verdict).length
    expect(found(1.05, "slower")).toBeGreaterThanOrEqual(42)
    expect(found(1 / 1.05, "faster")).toBeGreaterThanOrEqual(42)
    expect(found(1.05, "faster")).toBe(0)
  })

  test("show nothing where the difference is certain but below 2 %", () => {
    const a = Array.from({ length: 12 }, (_, index) => 100 + index)
    const comparison = comparePairs(
      a,
      a.map((value) => value * 1.01),
    )
    expect(comparison.ci[0]).toBeGreaterThan(1)
    expect(verdictOf(comparison)).toBe("no difference shown")
  })

  test("are the same each time they are compared", () => {
    const [a, b] = [
      [10, 11, 12, 13, 14],
      [20, 21, 23, 27, 28],
    ]
    expect(comparePairs(a, b)).toEqual(comparePairs(a, b))
    expect(comparePairs(a, b).ratio).toBeCloseTo(2, 10)
    expect(comparePairs(a, b).n).toBe(5)
  })

  test("take turns, the second always in the other order", () => {
    expect([0, 1, 2].map((round) => turnsOf(["A", "B"], round).join(""))).toEqual(["AB", "BA", "AB"])
  })
})

test("samples of two files are compared without pairs", () => {
  const old = [100, 101, 99, 100, 102, 98]
  const slower = old.map((value) => value * 0.9)
  expect(verdictOf(compareUnpaired(old, slower))).toBe("slower")
  expect(verdictOf(compareUnpaired(old, old.toReversed()))).toBe("no difference shown")
  // Three samples can show nothing: one order in twenty looks like this by chance.
  expect(verdictOf(compareUnpaired([10, 11, 12], [20, 21, 22]))).toBe("no difference shown")
})

describe("samples are in doubt", () => {
  const steady = { samples: [10, 10, 10, 10, 10, 10], busy: [], threads: 2, cores: 2 }

  test("not without a reason", () => {
    expect(reasonsForDoubt(steady)).toEqual([])
  })

  test("where the machine became slower", () => {
    const reasons = reasonsForDoubt({ ...steady, samples: [10, 10, 9.8, 9.5, 9, 9] })
    expect(reasons).toEqual(["the last third of the samples is 10 % below the first"])
  })

  test("where another program needs the same cores, which it names", () => {
    const busy = [{ pid: 7, name: "tsc", cpus: 1 }]
    expect(reasonsForDoubt({ ...steady, busy })).toEqual([
      "contended: other processes used 1.0 CPUs (tsc 1.0)",
    ])
    expect(reasonsForDoubt({ ...steady, busy, threads: 1 })).toEqual([])
  })
})
