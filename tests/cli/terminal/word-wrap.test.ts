import { describe, expect, test } from "bun:test"
import { WordWrap } from "../../../src/cli/terminal/word-wrap"

/** What a terminal shows: CUB and EL are all that it has to know. */
function shown(columns: number, ...pieces: string[]): readonly string[] {
  const wrap = new WordWrap(() => columns)
  const out = pieces.map((piece) => wrap.add(piece)).join("")
  const lines = [""]
  for (const [token] of out.matchAll(/\x1b\[(\d+)D\x1b\[K|\n|[^]/gu)) {
    const back = /\d+/.exec(token)
    const last = lines.pop() ?? ""
    if (token === "\n") lines.push(last, "")
    else lines.push(token.startsWith("\x1b") ? last.slice(0, -Number(back?.[0])) : last + token)
  }
  return lines
}

describe("lines of a terminal", () => {
  test("are broken between words, wherever the pieces of a text end", () => {
    const expected = ["The quick", "brown fox", "jumps"]
    expect(shown(12, "The quick brown fox jumps").map((line) => line.trimEnd())).toEqual(expected)
    expect(shown(12, ..."The quick brown fox jumps").map((line) => line.trimEnd())).toEqual(expected)
  })

  test("end where the text's end", () => {
    expect(shown(12, "one\ntwo\n\nthree")).toEqual(["one", "two", "", "three"])
  })

  test("cut words that are longer than a line", () => {
    expect(shown(6, "abcdefghijkl")).toEqual(["abcde", "fghij", "kl"])
  })

  test("may end between characters of a script without spaces", () => {
    expect(shown(8, "日本語日本")).toEqual(["日本語", "日本"])
  })

  test("of code stay whole", () => {
    expect(shown(10, "```\na long line of code\n```\nthe text goes")).toEqual([
      "```",
      "a long line of code",
      "```",
      "the text ",
      "goes",
    ])
  })
})
