import { describe, expect, test } from "bun:test"
import { AdapterTurns, TURN_STEPS } from "../../../../src/worker/text/adapters/adapter-turns"

interface Fake {
  readonly adapterKey: string
}

const of = (keys: string): readonly Fake[] => [...keys].map((adapterKey) => ({ adapterKey }))

/** The sets of so many steps, each of which reads `promptTokens`. */
function steps(turns: AdapterTurns, keys: string, count: number, promptTokens = 0): string {
  return Array.from({ length: count }, () => {
    const chosen = turns.choose(of(keys))
    turns.used(promptTokens)
    return chosen.map(({ adapterKey }) => adapterKey).join("")
  }).join(" ")
}

const turn = (keys: string): string => Array.from({ length: TURN_STEPS }, () => keys).join(" ")

describe("adapter sets", () => {
  test("share every step where there is only one", () => {
    const turns = new AdapterTurns()
    expect(steps(turns, "aaa", 20)).toBe(Array.from({ length: 20 }, () => "aaa").join(" "))
  })

  test("take turns of several steps, in the order in which they came", () => {
    const turns = new AdapterTurns()
    expect(steps(turns, "abcab", 4 * TURN_STEPS)).toBe(
      [turn("aa"), turn("bb"), turn("c"), turn("aa")].join(" "),
    )
  })

  test("do not wait for one that has ended", () => {
    const turns = new AdapterTurns()
    steps(turns, "abc", 2)
    expect(steps(turns, "bc", TURN_STEPS + 1)).toBe(`${turn("b")} c`)
  })

  test("wait no longer than one turn of each of the others, however many new ones arrive", () => {
    const turns = new AdapterTurns()
    let waited = 0
    let longest = 0
    for (let step = 0; step < 500; step++) {
      // The stream, and three others, each of which makes way for another set after a moment.
      const others = [0, 1, 2].map((place) => ({
        adapterKey: `${place}:${Math.floor((step + 2 * place) / 7)}`,
      }))
      const chosen = turns.choose([...others, { adapterKey: "stream" }])
      turns.used(0)
      waited = chosen.some(({ adapterKey }) => adapterKey === "stream") ? 0 : waited + 1
      longest = Math.max(longest, waited)
    }
    expect(longest).toBeGreaterThan(0)
    expect(longest).toBeLessThanOrEqual(4 * TURN_STEPS)
  })

  test("have shorter turns where they read prompts, which takes longer", () => {
    const turns = new AdapterTurns()
    expect(steps(turns, "ab", 4, 512)).toBe("a b a b")
  })

  test("a set that was alone begins no turn before another one comes", () => {
    const turns = new AdapterTurns()
    steps(turns, "a", 100)
    expect(steps(turns, "ab", TURN_STEPS + 1)).toBe(`${turn("a")} b`)
  })
})
