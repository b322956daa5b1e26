import { describe, expect, test } from "bun:test"
import {
  type GrowthLimits,
  planGrowth,
  planReturn,
  type PoolDemand,
  type PoolShape,
} from "../../../../src/worker/text/cache/growth"

const START: PoolShape = { layout: "split", cells: 4096, sequences: 16 }
const UNIFIED: PoolShape = { layout: "unified", cells: 4096, sequences: 16 }
const LIMITS: GrowthLimits = { slots: 16, contextLength: 8192, mostCells: 16 * 8192, layoutIsFixed: false }

function demand(sequences: number, longest: number, pooled = sequences * longest): PoolDemand {
  return { sequences, longest, longestIdle: 0, pooled }
}

function grown(now: PoolShape, wanted: PoolDemand, limits: Partial<GrowthLimits> = {}): string {
  const shape = planGrowth(now, wanted, { ...LIMITS, ...limits })
  return shape === undefined ? "as it is" : `${shape.layout} ${shape.cells} for ${shape.sequences}`
}

describe("a pool of small shares", () => {
  test("stays as it is while every conversation fits its share", () => {
    expect(grown(START, demand(16, 256))).toBe("as it is")
  })

  test("becomes one pool of the same size for a conversation that outgrows its share", () => {
    expect(grown(START, demand(1, 300))).toBe("unified 4096 for 16")
    expect(grown(START, demand(3, 1000, 1600))).toBe("unified 4096 for 16")
  })

  test("becomes a larger pool for one that outgrows all shares together", () => {
    expect(grown(START, demand(1, 5000))).toBe("unified 8192 for 16")
  })

  test("gets larger shares where many unrelated conversations outgrow theirs", () => {
    expect(grown(START, demand(16, 300))).toBe("split 8192 for 16")
  })

  test("becomes one pool for clients that share most of their prompts", () => {
    expect(grown(START, demand(16, 500, 358 + 16 * 142))).toBe("unified 4096 for 16")
  })

  test("never has larger shares than a conversation may be long", () => {
    expect(grown(START, demand(16, 700), { contextLength: 700, mostCells: 16 * 768 })).toBe(
      "split 12288 for 16",
    )
  })
})

describe("one pool", () => {
  test("stays as it is while all fit", () => {
    expect(grown(UNIFIED, demand(4, 1024))).toBe("as it is")
  })

  test("is doubled until they do", () => {
    expect(grown(UNIFIED, demand(1, 4097))).toBe("unified 8192 for 16")
    expect(grown(UNIFIED, demand(2, 8000))).toBe("unified 16384 for 16")
    expect(grown(UNIFIED, demand(1, 20_000), { contextLength: 32_768, mostCells: 16 * 32_768 })).toBe(
      "unified 32768 for 16",
    )
  })

  test("is divided where many unrelated conversations need more than it has", () => {
    expect(grown(UNIFIED, demand(16, 300))).toBe("split 8192 for 16")
  })

  test("grows up to its limit, and not beyond", () => {
    const limits = { contextLength: 5000, mostCells: 5120 }
    expect(grown(UNIFIED, demand(1, 5000), limits)).toBe("unified 5120 for 16")
    expect(grown({ ...UNIFIED, cells: 5120 }, demand(2, 5000), limits)).toBe("as it is")
  })
})

test("the last growth of one conversation is from half of its cells at most", () => {
  const limits = { contextLength: 40_960, mostCells: 16 * 40_960 }
  expect(grown({ ...UNIFIED, cells: 8192 }, demand(1, 9000), limits)).toBe("unified 16384 for 16")
  expect(grown({ ...UNIFIED, cells: 16_384 }, demand(1, 17_000), limits)).toBe("unified 40960 for 16")
  expect(grown({ ...UNIFIED, cells: 16_384 }, demand(3, 17_000), limits)).toBe("unified 65536 for 16")
})

test("where memory is short it has the cells that are needed", () => {
  const frugal = (wanted: PoolDemand, now = UNIFIED, limits: Partial<GrowthLimits> = {}) =>
    planGrowth(now, wanted, { ...LIMITS, ...limits }, "frugal")
  expect(frugal(demand(1, 5000))).toMatchObject({ layout: "unified", cells: 5120 })
  expect(frugal(demand(16, 300), START, { layoutIsFixed: true })).toMatchObject({
    layout: "split",
    cells: 8192,
  })
  expect(frugal(demand(16, 600), START)).toMatchObject({ layout: "split", cells: 16 * 768 })
})

test("a layout that was set stays", () => {
  const fixed = { layoutIsFixed: true }
  expect(grown(START, demand(1, 300), fixed)).toBe("split 8192 for 16")
  expect(grown(UNIFIED, demand(16, 300), fixed)).toBe("unified 8192 for 16")
})

test("a size that was set stays", () => {
  expect(grown(START, demand(1, 300), { mostCells: 4096 })).toBe("as it is")
})

test("more conversations than there are sequences get as many as there may be", () => {
  expect(grown(START, demand(17, 100), { slots: 64, mostCells: 64 * 8192 })).toBe("unified 4096 for 64")
  expect(grown(UNIFIED, demand(17, 100), { slots: 64, mostCells: 64 * 8192 })).toBe("unified 4096 for 64")
})

describe("one pool returns to shares", () => {
  const returned = (wanted: PoolDemand, limits: Partial<GrowthLimits> = {}, now = UNIFIED): string => {
    const shape = planReturn(now, wanted, { ...LIMITS, ...limits })
    return shape === undefined ? "as it is" : `${shape.layout} ${shape.cells} for ${shape.sequences}`
  }

  test("for unrelated conversations that fit them", () => {
    expect(returned(demand(16, 250))).toBe("split 4096 for 16")
    expect(returned(demand(16, 400))).toBe("split 8192 for 16")
  })

  test("not for one conversation, nor for those that share most of their prompts", () => {
    expect(returned(demand(1, 250, 4000))).toBe("as it is")
    expect(returned(demand(16, 500, 358 + 16 * 100))).toBe("as it is")
  })

  test("not while a prefix is cached that would not fit", () => {
    expect(returned({ ...demand(16, 250), longestIdle: 3000, pooled: 7000 })).toBe("as it is")
    expect(returned({ ...demand(16, 250), longestIdle: 9000, pooled: 90_000 })).toBe("as it is")
  })

  test("not where the layout was configured, nor beyond what the pool may have", () => {
    expect(returned(demand(16, 250), { layoutIsFixed: true })).toBe("as it is")
    expect(returned(demand(16, 400), { mostCells: 4096 })).toBe("as it is")
  })

  test("nor from shares", () => {
    expect(returned(demand(16, 250), {}, START)).toBe("as it is")
  })
})
