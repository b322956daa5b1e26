import { expect, test } from "bun:test"
import { LEAST_MATCH, MOST_MATCH, NgramIndex } from "../../../../src/worker/text/draft/ngram-index"
import { mulberry } from "../../../support/files/mulberry"

/** Where the last three or more tokens stood last before, and how many match, by trying all places. */
function bySearch(text: readonly number[]): { place: number; matched: number } | undefined {
  let best: { place: number; matched: number } | undefined
  for (let place = text.length - 1; place >= LEAST_MATCH; place--) {
    let matched = 0
    while (
      matched < MOST_MATCH &&
      matched < place &&
      text[place - 1 - matched] === text[text.length - 1 - matched]
    )
      matched++
    if (matched >= LEAST_MATCH && matched > (best?.matched ?? 0)) best = { place, matched }
  }
  return best
}

test("finds what a search of the whole text finds, while the text grows", () => {
  const random = mulberry(1)
  const text: number[] = []
  const index = new NgramIndex()
  let found = 0
  for (let length = 1; length <= 3000; length++) {
    // Few enough places for each three tokens that all of them are looked at.
    text.push(Math.floor(random() * 12))
    index.extend(text, length)
    const expected = bySearch(text)
    expect(index.find(text, text, length)).toBe(expected !== undefined)
    if (expected === undefined) continue
    found++
    expect(index.matched).toBeGreaterThanOrEqual(LEAST_MATCH)
    expect(index.place).toBeLessThan(length)
    const before = text.slice(index.place - index.matched, index.place)
    expect(before).toEqual(text.slice(length - index.matched))
    if (expected.matched > LEAST_MATCH + 1) expect(index.matched).toBe(expected.matched)
  }
  expect(found).toBeGreaterThan(1000)
})

test("the longest match wins over a later one, and the later of equals", () => {
  const text = [1, 2, 3, 4, 5, 60, 9, 3, 4, 5, 61, 8, 3, 4, 5, 62, 1, 2, 3, 4, 5]
  const index = new NgramIndex()
  index.extend(text, text.length)
  expect(index.find(text, text, text.length)).toBe(true)
  expect([text[index.place], index.matched]).toEqual([60, 5])
  const other = [7, 7, 3, 4, 5]
  expect(index.find(text, other, other.length)).toBe(true)
  // The last place is at the end of the text, where nothing follows yet.
  expect([text[index.place], index.matched]).toEqual([62, 3])
})

test("remembers a bounded part of an endless text, the newest", () => {
  const index = new NgramIndex()
  const text: number[] = Array.from({ length: 150_000 }, (_, at) => at % 50_000)
  index.extend(text, text.length)
  expect(index.find(text, text, text.length)).toBe(true)
  expect(index.place).toBe(100_000)
  const forgotten = [1_000_000, 2, 3, 4]
  const unique = [...forgotten, 5, ...Array.from({ length: 140_000 }, (_, at) => 2_000_000 + at)]
  const other = new NgramIndex()
  other.extend(unique, unique.length)
  expect(other.find(unique, forgotten, forgotten.length)).toBe(false)
})
