import { expect, test } from "bun:test"
import { type DemandingSequence, DemandMeter } from "../../../../src/worker/text/growth/demand"

const LIMITS = { contextLength: 4096, slots: 16 }

/** A prompt that waits, with a count of how often its tokens were read. */
function waiting(ids: readonly number[], more: Partial<DemandingSequence> = {}) {
  const count = { reads: 0 }
  const tokens = new Proxy([...ids], {
    get(list, name) {
      if (name !== "length") count.reads++
      return Reflect.get(list, name) as unknown
    },
  })
  const common = { length: ids.length, generated: 0, cacheKey: "", slot: undefined, maxTokens: 0 }
  const sequence: DemandingSequence = { ...common, usesCache: true, saved: undefined, tokens, ...more }
  return { sequence, count }
}

function prompt(first: number, length: number): number[] {
  return Array.from({ length }, (_, at) => (at < 100 ? at : first + at))
}

test("a prefix that waiting prompts have in common counts once", () => {
  const some = [1000, 2000, 3000].map((first) => waiting(prompt(first, 150)).sequence)
  const meter = new DemandMeter(LIMITS)
  expect(meter.measure({ running: [], waiting: some }, [])).toEqual({
    sequences: 3,
    longest: 150,
    longestIdle: 0,
    pooled: 150 + 2 * 50,
  })
  const apart = [waiting(prompt(1000, 150)), waiting(prompt(2000, 150), { usesCache: false })]
  expect(meter.measure({ running: [], waiting: apart.map(({ sequence }) => sequence) }, []).pooled).toBe(300)
})

test("a sequence counts with what it will soon have, no more than it may get", () => {
  const meter = new DemandMeter(LIMITS)
  const longestOf = (more: Partial<DemandingSequence>) =>
    meter.measure({ running: [waiting(prompt(1, 300), more).sequence], waiting: [] }, []).longest
  expect(longestOf({ maxTokens: 1000 })).toBe(400)
  expect(longestOf({ maxTokens: 50 })).toBe(350)
  expect(longestOf({ maxTokens: 50, generated: 40 })).toBe(310)
})

test("no more prompts count than there are slots", () => {
  const meter = new DemandMeter({ ...LIMITS, slots: 2 })
  const some = [1000, 2000, 3000].map((first) => waiting(prompt(first, 150)).sequence)
  expect(meter.measure({ running: [], waiting: some }, []).sequences).toBe(2)
})

test("prompts are compared once while the same ones wait, and again when another joins", () => {
  const many = Array.from({ length: 16 }, (_, index) => waiting(prompt(1000 * index, 345)))
  const meter = new DemandMeter(LIMITS)
  const reads = () => many.reduce((sum, { count }) => sum + count.reads, 0)
  const measure = (count: number) =>
    meter.measure({ running: [], waiting: many.slice(0, count).map(({ sequence }) => sequence) }, [])
  const first = measure(15)
  const once = reads()
  expect(once).toBeGreaterThan(0)
  for (let step = 0; step < 100; step++) expect(measure(15)).toEqual(first)
  expect(reads()).toBe(once)
  expect(measure(16).pooled).toBe(first.pooled + 245)
  expect(reads()).toBeGreaterThan(once)
})
