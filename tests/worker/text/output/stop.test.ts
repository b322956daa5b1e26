import { describe, expect, test } from "bun:test"
import { prepareStops, StopMatcher } from "../../../../src/worker/text/output/stop"

interface Outcome {
  readonly text: string
  readonly stop: string | undefined
}

/** What comes out of pieces that arrive one after another. */
function feed(stops: readonly string[], pieces: readonly string[]): Outcome {
  const matcher = new StopMatcher(prepareStops(stops))
  let text = ""
  for (const piece of pieces) {
    const released = matcher.push(piece)
    text += released.text
    if (released.stop !== undefined) return { text, stop: released.stop }
  }
  return { text: text + matcher.end(), stop: undefined }
}

/** The rule, with no care for speed: character after character, the longest stop text that is complete. */
function reference(stops: readonly string[], text: string): Outcome {
  for (let end = 1; end <= text.length; end++) {
    const complete = stops.filter((stop) => text.slice(0, end).endsWith(stop))
    const longest = complete.sort((a, b) => b.length - a.length)[0]
    if (longest !== undefined) return { text: text.slice(0, end - longest.length), stop: longest }
  }
  return { text, stop: undefined }
}

describe("a stop text", () => {
  test("ends the answer and is no part of it, nor is what follows", () => {
    expect(feed(["END"], ["so far END and on"])).toEqual({ text: "so far ", stop: "END" })
  })

  test("is found across the borders of tokens", () => {
    expect(feed(["END"], ["so far E", "N", "D"])).toEqual({ text: "so far ", stop: "END" })
  })

  test("is held back as long as it could become one, and no longer", () => {
    const matcher = new StopMatcher(prepareStops(["END"]))
    expect(matcher.push("aE")).toEqual({ text: "a" })
    expect(matcher.push("N")).toEqual({ text: "" })
    expect(matcher.push("E")).toEqual({ text: "EN" })
    expect(matcher.push("x")).toEqual({ text: "Ex" })
  })

  test("that began leaves at the end of the stream, for it is text after all", () => {
    expect(feed(["END"], ["the EN"])).toEqual({ text: "the EN", stop: undefined })
  })

  test("that overlaps with itself is found where it is complete", () => {
    expect(feed(["aab"], ["a", "a", "a", "b"])).toEqual({ text: "a", stop: "aab" })
  })

  test("that is complete first wins, wherever tokens end", () => {
    for (const pieces of [["xabcde"], ["xa", "bcd", "e"], ["xabc", "de"]])
      expect(feed(["abcde", "cd"], pieces)).toEqual({ text: "xab", stop: "cd" })
  })

  test("is the longest of those that are complete at the same place", () => {
    expect(feed(["c", "abc", "bc"], ["xabc"])).toEqual({ text: "x", stop: "abc" })
  })

  test("may be a character of two UTF-16 units", () => {
    expect(feed(["🌲"], ["a", "🌳", "🌲b"])).toEqual({ text: "a🌳", stop: "🌲" })
  })

  test("costs nothing to look for where there is none", () => {
    const matcher = new StopMatcher(prepareStops([]))
    expect([matcher.push("any text"), matcher.end()]).toEqual([{ text: "any text" }, ""])
  })
})

test("what comes out follows the rule for any text, any stop texts and any borders", () => {
  let state = 12345
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const letters = (length: number): string => Array.from({ length }, () => "ab c"[random(4)]).join("")
  let met = 0
  for (let round = 0; round < 4000; round++) {
    const stops = Array.from({ length: random(4) }, () => letters(1 + random(5)))
    const text = letters(random(30))
    const pieces: string[] = []
    for (let at = 0; at < text.length;) {
      const length = 1 + random(6)
      pieces.push(text.slice(at, at + length))
      at += length
    }
    const expected = reference(stops, text)
    if (expected.stop !== undefined) met++
    expect({ stops, pieces, ...feed(stops, pieces) }).toEqual({ stops, pieces, ...expected })
  }
  // Both outcomes are really among the cases.
  expect(met).toBeGreaterThan(500)
  expect(met).toBeLessThan(3500)
})
