import { describe, expect, test } from "bun:test"
import { type Key, KeyDecoder, LONGEST_PASTE } from "../../../src/cli/repl/key-decoder"

const text = (letters: string): Key => ({ type: "text", text: letters })
const key = (name: string) => ({ type: "key", name }) as Key

function decode(...pieces: string[]): readonly Key[] {
  const decoder = new KeyDecoder()
  return pieces.flatMap((piece) => decoder.decode(piece))
}

describe("what a terminal sends", () => {
  test("is letters and keys", () => {
    expect(decode("añ日\x7f\r")).toEqual([text("añ日"), key("backspace"), key("enter")])
    expect(decode("\x1b[A\x1bOB\x1b[1;5C\x1bb\x1b[3~\x12")).toEqual(
      ["up", "down", "word-right", "word-left", "delete", "search"].map(key),
    )
  })

  test("may come in pieces", () => {
    expect(decode("a\x1b", "[", "A", "b")).toEqual([text("a"), key("up"), text("b")])
  })

  test("is one key for both line ends", () => {
    expect(decode("a\r\nb\n")).toEqual([text("a"), key("enter"), text("b"), key("enter")])
  })

  test("is nothing where no key is known", () => {
    expect(decode("\x1b[15~\x1b[99;99Q\x00a")).toEqual([text("a")])
  })

  test("is the Esc key where nothing follows", () => {
    const decoder = new KeyDecoder()
    expect(decoder.decode("\x1b")).toEqual([])
    expect(decoder.isUndecided).toBe(true)
    expect(decoder.settle()).toEqual([key("escape")])
  })

  test("may be pasted: one text with all its lines, and nothing that steers a terminal", () => {
    expect(decode("\x1b[200~one\rtwo\r\nth", "ree\x1b[2J\x1b[20", "1~x")).toEqual([
      { type: "paste", text: "one\ntwo\nthree[2J" },
      text("x"),
    ])
  })

  test("is cut where a paste does not end", () => {
    const [pasted] = decode("\x1b[200~", "x".repeat(LONGEST_PASTE + 5))
    expect(pasted).toEqual({ type: "paste", text: "x".repeat(LONGEST_PASTE) })
  })
})
