import { describe, expect, test } from "bun:test"
import { allocate, type DraftOffer, type StepShape } from "../../../../src/worker/text/draft/allocation"
import { BatchCosts } from "../../../../src/worker/text/draft/batch-costs"

/** As measured with Q4_0 and Q8_0 weights on two cores, in units of one token. */
const Q4_0 = costs(1, 1.8, 2.1, 3, 3.9)
const Q8_0 = costs(1, 2.5, 3.3, 3.6, 4)

function costs(...ms: readonly [number, number, number, number, number]): BatchCosts {
  return new BatchCosts(ms.map((each, index) => ({ tokens: 2 ** index, ms: each })))
}

/** A stream whose guesses are right with these probabilities; the last one holds on. */
function offer(rates: readonly number[], options: Partial<DraftOffer> = {}): DraftOffer {
  return {
    room: 16,
    least: 0,
    tokenMs: 0,
    isForced: false,
    rate: (at) => rates[Math.min(at, rates.length - 1)] ?? 0,
    ...options,
  }
}

const ALONE: StepShape = { streams: 1, promptTokens: 0, room: 48, isSplit: false }

describe("a draft", () => {
  test("is as long as possible where the guess is sure", () => {
    expect(allocate([offer([0.98])], Q4_0, ALONE)).toEqual([16])
    expect(allocate([offer([0.98])], Q8_0, ALONE)).toEqual([16])
  })

  test("is left out where it costs more than it brings", () => {
    expect(allocate([offer([0.5])], Q4_0, ALONE)).toEqual([0])
    expect(allocate([offer([0.7])], Q8_0, ALONE)).toEqual([0])
    expect(allocate([offer([0])], Q4_0, ALONE)).toEqual([0])
  })

  test("gains time in every case that it is used in", () => {
    for (const table of [Q4_0, Q8_0])
      for (let percent = 0; percent <= 100; percent++) {
        const rate = percent / 100
        const [length = 0] = allocate([offer([rate])], table, ALONE)
        let expected = 0
        for (let place = 1; place <= length; place++) expected += rate ** place
        expect((1 + expected) / table.ms(1 + length)).toBeGreaterThanOrEqual(length === 0 ? 1 : 1.0001)
      }
  })

  test("takes none of the room that there is not", () => {
    expect(allocate([offer([1], { room: 5 })], Q4_0, ALONE)).toEqual([5])
    expect(allocate([offer([1])], Q4_0, { ...ALONE, room: 3 })).toEqual([3])
    expect(allocate([offer([1], { room: 5, least: 6 })], Q4_0, ALONE)).toEqual([0])
  })

  test("is checked whatever it costs where the user wants that", () => {
    expect(allocate([offer([0], { isForced: true })], Q8_0, ALONE)).toEqual([16])
    const both = [offer([0], { isForced: true }), offer([0], { isForced: true })]
    expect(allocate(both, Q8_0, { ...ALONE, streams: 2, room: 20 })).toEqual([10, 10])
  })
})

describe("several streams", () => {
  test("share the room by what each of them gains", () => {
    const shape = { ...ALONE, streams: 2, room: 10 }
    const [sure = 0, unsure = 0] = allocate([offer([0.99]), offer([0.3])], Q4_0, shape)
    expect(sure).toBe(10)
    expect(unsure).toBe(0)
    const [a = 0, b = 0] = allocate([offer([0.97]), offer([0.97])], Q4_0, { ...shape, room: 16 })
    expect(a + b).toBe(16)
    expect(Math.abs(a - b)).toBeLessThanOrEqual(1)
  })

  test("that fill the batch draft less", () => {
    const streams = 16
    const offers = Array.from({ length: streams }, () => offer([0.6]))
    const linear = new BatchCosts([1, 2, 4, 8, 16].map((tokens) => ({ tokens, ms: tokens })))
    expect(allocate(offers, linear, { ...ALONE, streams }).every((length) => length === 0)).toBe(true)
  })

  test("have drafts of one length in the split layout", () => {
    const shape = { ...ALONE, streams: 5, isSplit: true }
    const lengths = allocate([offer([0.99]), offer([0.98], { room: 7 }), offer([0.1])], Q4_0, shape)
    expect(lengths[2]).toBe(0)
    expect(new Set(lengths.filter((length) => length > 0)).size).toBe(1)
    expect(Math.max(...lengths)).toBeGreaterThan(0)
    const forced = [offer([0], { isForced: true, room: 9 }), offer([0], { isForced: true, room: 4 })]
    expect(allocate(forced, Q4_0, { ...shape, streams: 2 })).toEqual([4, 4])
  })
})

describe("a table of costs", () => {
  test("is continued between and beyond what was measured", () => {
    const table = costs(10, 18, 20, 30, 40)
    expect([1, 2, 3, 4, 6, 8, 16, 24].map((tokens) => table.ms(tokens))).toEqual([
      10, 18, 19, 20, 25, 30, 40, 50,
    ])
  })

  test("never says that more tokens cost less", () => {
    const table = costs(10, 18, 9, 30, 20)
    for (let tokens = 1; tokens < 40; tokens++)
      expect(table.ms(tokens + 1)).toBeGreaterThanOrEqual(table.ms(tokens))
  })

  test.each([
    [[]],
    [
      [
        { tokens: 1, ms: 0 },
        { tokens: 2, ms: 1 },
      ],
    ],
    [
      [
        { tokens: 2, ms: 1 },
        { tokens: 1, ms: 2 },
      ],
    ],
  ])("that means nothing (%j) is not used", (table) => {
    expect(new BatchCosts(table).ms(4) / new BatchCosts(table).ms(1)).toBe(new BatchCosts().ms(4))
  })
})
