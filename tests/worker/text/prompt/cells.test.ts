import { describe, expect, test } from "bun:test"
import { reusable, type Slot } from "../../../../src/worker/text/cache/slots"
import {
  commonPrefix,
  layOutCells,
  type MediaUnit,
  positionOf,
  type PromptCells,
  type PromptUnit,
} from "../../../../src/worker/text/prompt/cells"

/** An image whose digest depends on `content`. */
function image(content: string, cells: number, positions = cells): MediaUnit {
  return { digest: Bun.SHA256.hash(content) as Uint8Array, cells, positions }
}

const tokens = (...ids: readonly number[]) => Int32Array.from(ids)

/** How much two prompts have in common, of which the first is cached up to `cached` cells. */
function common(
  a: readonly PromptUnit[],
  b: readonly PromptUnit[],
  cached = layOutCells(a).tokens.length,
): number {
  const [left, right] = [layOutCells(a), layOutCells(b)]
  const forwards = commonPrefix(left.tokens, cached, right.tokens, right.tokens.length)
  expect(commonPrefix(right.tokens, right.tokens.length, left.tokens, cached)).toBe(forwards)
  return forwards
}

describe("a prompt of tokens", () => {
  test("is its tokens, and the position of each is its index", () => {
    const { tokens: ids, media } = layOutCells([tokens(1, 2), tokens(), tokens(3)])
    expect([...ids]).toEqual([1, 2, 3])
    expect([0, 1, 2, 3].map((cell) => positionOf(media, cell))).toEqual([0, 1, 2, 3])
  })
})

describe("a prompt with images", () => {
  test("has as many cells as they have embeddings, none of which is a token", () => {
    const { tokens: ids, media } = layOutCells([tokens(1, 2), image("cat", 4, 2), tokens(3), image("dog", 3)])
    expect([...ids].map((id) => (id < 0 ? "x" : id))).toEqual([1, 2, "x", "x", "x", "x", 3, "x", "x", "x"])
    expect(media).toMatchObject([
      { start: 2, cells: 4, positions: 2 },
      { start: 7, cells: 3, positions: 3 },
    ])
  })

  test("counts positions by what each image advances them", () => {
    const { media } = layOutCells([
      tokens(1, 2),
      image("cat", 4, 2),
      tokens(3),
      image("dog", 9, 3),
      tokens(4),
    ])
    expect([1, 2, 6, 7, 16, 17].map((cell) => positionOf(media, cell))).toEqual([1, 2, 4, 5, 8, 9])
  })
})

describe("the common prefix", () => {
  const cat = () => image("cat", 12, 4)

  test("goes through images of equal content", () => {
    expect(common([tokens(1), cat(), tokens(2, 3)], [tokens(1), cat(), tokens(2, 4)])).toBe(14)
  })

  test("ends before an image of other content, or of other size", () => {
    expect(common([tokens(1), cat()], [tokens(1), image("dog", 12, 4)])).toBe(1)
    expect(common([tokens(1), cat()], [tokens(1), image("cat", 6, 4)])).toBe(1)
  })

  test("does not end within an image", () => {
    const prompt = [tokens(1, 2), cat(), tokens(3)]
    expect(common(prompt, prompt, 8)).toBe(2)
    expect(common(prompt, prompt, 2)).toBe(2)
    expect(common(prompt, prompt, 13)).toBe(2)
    expect(common(prompt, prompt, 14)).toBe(14)
  })

  test("may end between two equal images", () => {
    expect(common([cat(), cat()], [cat(), tokens(1)])).toBe(12)
    expect(common([cat(), cat()], [cat(), cat()], 20)).toBe(12)
  })

  test("is nothing where an image at the start is not cached as a whole", () => {
    expect(common([cat()], [cat()], 11)).toBe(0)
  })
})

test("a sliding window is counted in positions, of which an image may have fewer than cells", () => {
  const { tokens: ids, media }: PromptCells = layOutCells([image("cat", 100, 10), tokens(1, 2, 3)])
  const prompt = { tokens: [...ids], media, cacheKey: "" }
  const slot: Slot = {
    ...prompt,
    id: 0,
    number: 0,
    tokens: [...ids, 4],
    length: 104,
    busy: false,
    uses: 1,
    isPrivate: false,
    lastUsed: 0,
  }
  const reused = (first: number) =>
    reusable(slot, prompt, { trims: true, shares: false, window: 8, firstPosition: () => first })
  // 102 cells end at position 12, so the window begins at 4.
  expect([reused(4), reused(5)]).toEqual([102, 0])
})
