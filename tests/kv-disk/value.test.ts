import { expect, test } from "bun:test"
import { chooseExpendable, type Valued } from "../../src/kv-disk/value"

const HOUR = 3_600_000
const NOW = 1000 * HOUR

const prompt = (changes: Partial<Valued> = {}): Valued => ({
  bytes: 100,
  computeMs: 1000,
  uses: 0,
  usedAt: NOW - HOUR,
  ...changes,
})

/** Which of two prompts makes way where there is space for one. */
const loser = (one: Valued, other: Valued) =>
  chooseExpendable([one, other], { mostBytes: 300, mostFiles: 1 }, NOW)

test("the older, the less used and the one that saves less time for its size makes way", () => {
  const usual = prompt()
  for (const worse of [
    prompt({ usedAt: NOW - 9 * HOUR }),
    prompt({ computeMs: 100 }),
    prompt({ bytes: 200 }),
  ])
    expect(loser(worse, usual)).toEqual([worse])
  expect(loser(usual, prompt({ uses: 1 }))).toEqual([usual])
})

test("no more make way than have to", () => {
  const prompts = [1, 2, 3, 4].map((uses) => prompt({ uses }))
  const left = (mostBytes: number, mostFiles = 10) =>
    4 - chooseExpendable(prompts, { mostBytes, mostFiles }, NOW).length
  expect([left(400), left(399), left(100), left(99), left(400, 2)]).toEqual([4, 3, 1, 0, 2])
})

test("a clock that was set back makes nothing worth more than new", () => {
  expect(loser(prompt({ usedAt: NOW + 100 * HOUR }), prompt({ usedAt: NOW, uses: 1 }))).toHaveLength(1)
})
