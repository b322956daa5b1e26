import { describe, expect, test } from "bun:test"
import { bytePattern } from "../../../../src/worker/text/markers"
import { TriggerSearch } from "../../../../src/worker/text/sampling/trigger-search"
import { seeded } from "../../../prompt/tools/reading"

/** After each unit: the first marker that ends with it, and how long a beginning of any marker the text ends with. */
function seen(markers: readonly string[], text: string) {
  const search = new TriggerSearch(markers.map((marker) => bytePattern([marker])))
  let state = search.start
  return Array.from(Buffer.from(text), (unit) => {
    state = search.advance(state, unit)
    return [state.found, markers[state.towards]?.slice(0, state.length)] as const
  })
}

function looked(markers: readonly string[], text: string) {
  return Array.from(text, (_, at) => {
    const read = text.slice(0, at + 1)
    const found = markers.findIndex((marker) => read.endsWith(marker))
    const beginnings = markers.flatMap((marker) =>
      Array.from(marker, (_, length) => marker.slice(0, length + 1)).filter((each) => read.endsWith(each)),
    )
    const longest = beginnings.reduce((a, b) => (b.length > a.length ? b : a), "")
    return [found < 0 ? undefined : found, longest] as const
  })
}

describe("the search for markers", () => {
  test.each([
    [["<tool_call>", "<tool", "```json"], "a <<tool_call> ``json ```json"],
    [["aab", "ab", "b"], "aaaabab"],
    [["abcd", "bc"], "abce abcd"],
    [["x"], ""],
  ])("finds the same as a look at all of them at each place: %j in %j", (markers, text) => {
    expect(seen(markers, text)).toEqual(looked(markers, text))
  })

  test("finds the same in random texts", () => {
    const random = seeded(3)
    const word = (most: number) =>
      Array.from({ length: 1 + Math.floor(random() * most) }, () => "abc"[Math.floor(random() * 3)]).join("")
    for (let round = 0; round < 300; round++) {
      const markers = Array.from({ length: 1 + Math.floor(random() * 6) }, () => word(5))
      const text = word(40)
      expect([markers, text, seen(markers, text)]).toEqual([markers, text, looked(markers, text)])
    }
  })
})
