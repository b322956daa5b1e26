import { describe, expect, test } from "bun:test"
import {
  type CacheablePrompt,
  choosePlacement,
  leastRecentlyUsedPrefix,
  type MemoryTraits,
  planSlotSwap,
  reusable,
  type Slot,
} from "../../../../src/worker/text/cache/slots"
import { commonPrefix } from "../../../../src/worker/text/prompt/cells"

/** Tokens counted up from `first`. */
function run(first: number, length: number): number[] {
  return Array.from({ length }, (_, index) => first + index)
}

function slot(id: number, tokens: readonly number[] = [], more: Partial<Slot> = {}): Slot {
  return {
    id,
    number: id,
    tokens,
    cacheKey: "",
    length: tokens.length,
    busy: false,
    uses: 0,
    isPrivate: false,
    lastUsed: 0,
    ...more,
  }
}

function prompt(tokens: readonly number[], cacheKey = ""): CacheablePrompt {
  return { tokens, media: [], cacheKey }
}

function traits(more: Partial<MemoryTraits> = {}): MemoryTraits {
  return { trims: true, shares: false, window: 0, firstPosition: () => 0, ...more }
}

/** Slot ids and the length of what is reused: easier to read than whole slots. */
function place(
  tokens: readonly number[],
  slots: readonly Slot[],
  memory: MemoryTraits = traits(),
  cachePrompt = true,
): { slot: number; source: number; keep: number } | undefined {
  const placement = choosePlacement(prompt(tokens), slots, memory, cachePrompt)
  return placement && { slot: placement.slot.id, source: placement.source.id, keep: placement.keep }
}

describe("the common prefix of two token lists", () => {
  test.each([
    ["ends at the first difference", [1, 2, 3], 3, [1, 2, 4], 3, 2],
    ["ends with the shorter list", [1, 2, 3], 3, [1, 2], 2, 2],
    ["counts no more than what is asked of either", [1, 2, 3], 1, [1, 2, 3], 3, 1],
    ["is nothing where the first token differs", [9, 2, 3], 3, [1, 2, 3], 3, 0],
  ])("%s", (_, a, aLength, b, bLength, expected) => {
    expect(commonPrefix(a, aLength, b, bLength)).toBe(expected)
  })
})

describe("what a slot can provide of a prompt", () => {
  test("is its cached prefix, but never the prompt's last token, whose logits are wanted", () => {
    expect(reusable(slot(0, run(0, 100)), prompt(run(0, 100)), traits())).toBe(99)
    expect(reusable(slot(0, run(0, 50)), prompt(run(0, 100)), traits())).toBe(50)
  })

  test("does not go beyond what is cached already of its tokens", () => {
    expect(reusable(slot(0, run(0, 100), { length: 30 }), prompt(run(0, 100)), traits())).toBe(30)
  })

  test("is nothing where it was computed with something else than the prompt's tokens", () => {
    const cached = slot(0, run(0, 100), { cacheKey: "a" })
    expect(reusable(cached, prompt(run(0, 100), "a"), traits())).toBe(99)
    expect(reusable(cached, prompt(run(0, 100), "b"), traits())).toBe(0)
    expect(reusable(cached, prompt([...run(0, 100), 7]), traits({ trims: false }))).toBe(0)
  })

  test("is nothing but the whole where the memory cannot give up a tail", () => {
    const memory = traits({ trims: false })
    expect(reusable(slot(0, run(0, 100)), prompt([...run(0, 100), 7]), memory)).toBe(100)
    expect(reusable(slot(0, run(0, 100)), prompt([...run(0, 99), 7, 8]), memory)).toBe(0)
    expect(reusable(slot(0, run(0, 100)), prompt(run(0, 100)), memory)).toBe(0)
  })

  test("is nothing where the window has dropped what the next token looks back on", () => {
    const dropped = (first: number) => traits({ window: 10, firstPosition: () => first })
    const cached = slot(0, run(0, 100))
    const turned = prompt([...run(0, 50), 7, 8])
    expect(reusable(cached, turned, dropped(90))).toBe(0)
    expect(reusable(cached, turned, dropped(41))).toBe(0)
    expect(reusable(cached, turned, dropped(40))).toBe(50)
  })

  test("is the whole with a window too, where nothing has to be given up", () => {
    const memory = traits({ window: 10, firstPosition: () => 90 })
    expect(reusable(slot(0, run(0, 100)), prompt([...run(0, 100), 7]), memory)).toBe(100)
  })
})

describe("a prompt", () => {
  test("takes the lowest empty slot where nothing is cached", () => {
    expect(place(run(0, 50), [slot(0, [], { busy: true }), slot(1), slot(2)])).toEqual({
      slot: 1,
      source: 1,
      keep: 0,
    })
  })

  test("goes on in the idle slot with the longest prefix", () => {
    const slots = [slot(0, run(0, 40)), slot(1, run(0, 80)), slot(2)]
    expect(place(run(0, 100), slots)).toEqual({ slot: 1, source: 1, keep: 80 })
  })

  test("is copied from a slot that would lose much, into an empty one", () => {
    const slots = [slot(0, run(0, 300)), slot(1)]
    expect(place([...run(0, 100), ...run(5000, 20)], slots)).toEqual({ slot: 1, source: 0, keep: 100 })
  })

  test("is copied from a busy slot", () => {
    const slots = [slot(0, run(0, 100), { busy: true }), slot(1), slot(2)]
    expect(place(run(0, 90), slots)).toEqual({ slot: 1, source: 0, keep: 89 })
  })

  test("is copied into the least recently used slot where none is empty", () => {
    const slots = [
      slot(0, run(0, 100), { busy: true }),
      slot(1, run(1000, 50), { lastUsed: 9 }),
      slot(2, run(2000, 50), { lastUsed: 3 }),
      slot(3, run(3000, 50), { lastUsed: 5 }),
    ]
    expect(place(run(0, 90), slots)).toEqual({ slot: 2, source: 0, keep: 89 })
  })

  test("replaces the least recently used prefix where no slot knows it", () => {
    const slots = [
      slot(0, run(1000, 50), { lastUsed: 9 }),
      slot(1, run(2000, 50), { lastUsed: 3 }),
      slot(2, run(3000, 50), { lastUsed: 5 }),
    ]
    expect(place(run(0, 90), slots)).toEqual({ slot: 1, source: 1, keep: 0 })
  })

  test("is not copied for a prefix that is computed sooner", () => {
    const slots = [slot(0, run(0, 12), { busy: true }), slot(1)]
    expect(place(run(0, 90), slots)).toEqual({ slot: 1, source: 1, keep: 0 })
  })

  test("is copied for a short prefix of a long conversation only where copying is free", () => {
    const slots = [slot(0, run(0, 1000), { busy: true }), slot(1)]
    const prompt = [...run(0, 20), ...run(5000, 20)]
    expect(place(prompt, slots, traits({ shares: false }))?.keep).toBe(0)
    expect(place(prompt, slots, traits({ shares: true }))).toEqual({ slot: 1, source: 0, keep: 20 })
  })

  test("prefers its own idle slot to a copy that saves a few tokens more", () => {
    const slots = [slot(0, run(0, 100), { busy: true }), slot(1, run(0, 90)), slot(2)]
    expect(place(run(0, 120), slots)).toEqual({ slot: 1, source: 1, keep: 90 })
  })

  test("reuses nothing where its request forbids that", () => {
    const slots = [slot(0, run(0, 100)), slot(1)]
    expect(place(run(0, 100), slots, traits(), false)).toEqual({ slot: 1, source: 1, keep: 0 })
    expect(place(run(0, 100), [slot(0, run(0, 100))], traits(), false)?.keep).toBe(0)
  })

  test("waits where every slot is busy, though one knows it", () => {
    expect(place(run(0, 50), [slot(0, run(0, 100), { busy: true })])).toBeUndefined()
  })

  test("is never given more than the prompt without its last token, in all of many states", () => {
    for (let state = 0; state < 500; state++) {
      const slots = [0, 1, 2, 3].map((id) => {
        const bits = (Math.imul(state * 4 + id + 1, 2654435761) >>> 8) % 4096
        return slot(id, [...run(0, bits % 64), ...run(9000 + id * 100, bits % 32)], {
          busy: bits % 3 === 0,
          lastUsed: bits % 7,
        })
      })
      const placement = choosePlacement(prompt(run(0, 40)), slots, traits({ shares: state % 2 === 0 }), true)
      if (placement === undefined) {
        expect(slots.every((each) => each.busy)).toBe(true)
        continue
      }
      const { slot: target, source, keep } = placement
      expect(target.busy).toBe(false)
      expect(keep).toBeLessThanOrEqual(39)
      expect(Array.from(source.tokens).slice(0, keep)).toEqual(run(0, keep))
      expect(keep).toBeLessThanOrEqual(source.length)
    }
  })
})

describe("when the pool is full", () => {
  test("the idle prefix that was used longest ago goes first", () => {
    const slots = [
      slot(0, run(0, 10), { lastUsed: 1, busy: true }),
      slot(1, [], { lastUsed: 0 }),
      slot(2, run(0, 10), { lastUsed: 4 }),
      slot(3, run(0, 10), { lastUsed: 2 }),
    ]
    expect(leastRecentlyUsedPrefix(slots)?.id).toBe(3)
  })

  test("nothing can go where all that is cached is in use", () => {
    expect(leastRecentlyUsedPrefix([slot(0, run(0, 10), { busy: true }), slot(1)])).toBeUndefined()
  })
})

describe("gaps between generating slots", () => {
  function exchange(generating: readonly number[], lengths: readonly number[]) {
    const all = lengths.map((length, id) => slot(id, run(0, length), { busy: generating.includes(id) }))
    const plan = planSlotSwap(
      all.filter((each) => generating.includes(each.id)),
      all,
    )
    return plan && [plan.from.id, plan.to.id]
  }

  test("need no exchange where there are none", () => {
    expect(exchange([1, 2, 3], [0, 9, 9, 9])).toBeUndefined()
    expect(exchange([2], [0, 0, 9])).toBeUndefined()
  })

  test("close when the one outside moves next to the longest run", () => {
    expect(exchange([0, 1, 4], [9, 9, 0, 0, 9])).toEqual([4, 2])
  })

  test("close into the neighbour that has the least to move", () => {
    expect(exchange([2, 3, 6], [0, 50, 9, 9, 10, 0, 9])).toEqual([6, 4])
    expect(exchange([2, 3, 6], [0, 10, 9, 9, 50, 0, 9])).toEqual([6, 1])
  })

  test("close by moving the shortest of those outside", () => {
    expect(exchange([0, 1, 3, 5], [9, 9, 0, 500, 0, 20])).toEqual([5, 2])
  })

  test("are closed by so many exchanges as there are outside, from any arrangement", () => {
    for (let bits = 1; bits < 256; bits++) {
      const all = Array.from({ length: 8 }, (_, id) => slot(id, run(0, 5 + id)))
      const generating = all.filter((each) => (bits >> each.id) & 1)
      let moves = 0
      for (let plan = planSlotSwap(generating, all); plan; plan = planSlotSwap(generating, all)) {
        ;[plan.from.id, plan.to.id] = [plan.to.id, plan.from.id]
        expect(++moves).toBeLessThan(8)
      }
      const ids = generating.map((each) => each.id).sort((a, b) => a - b)
      expect(ids.at(-1)! - ids[0]!).toBe(ids.length - 1)
    }
  })
})
