import { describe, expect, test } from "bun:test"
import { clip, layOutLine, rowAfterResize } from "../../../src/cli/repl/layout"

const at = (text: string, cursor: number, columns: number) =>
  layOutLine({ prompt: ">>> ", continued: "... ", text, cursor, columns })

describe("rows of a terminal", () => {
  test("are broken where the terminal ends", () => {
    expect(at("abcdefgh", 8, 10)).toEqual({ rows: [">>> abcdef", "gh"], cursorRow: 1, cursorColumn: 2 })
  })

  test("that are full have the cursor below them", () => {
    expect(at("abcdef", 6, 10)).toEqual({ rows: [">>> abcdef", ""], cursorRow: 1, cursorColumn: 0 })
    expect(at("abcdefg", 6, 10)).toEqual({ rows: [">>> abcdef", "g"], cursorRow: 1, cursorColumn: 0 })
  })

  test("do not cut wide characters in two", () => {
    expect(at("abcde日x", 6, 10)).toEqual({ rows: [">>> abcde", "日x"], cursorRow: 1, cursorColumn: 2 })
  })

  test("have each line of the text, and nothing that steers the terminal", () => {
    expect(at("a\tb\n\x1bc", 0, 20)).toEqual({
      rows: [">>> a    b", "... \ufffdc"],
      cursorRow: 0,
      cursorColumn: 4,
    })
  })

  test("that are too many are shown around the cursor", () => {
    const layout = at("a\nb\nc\nd", 2, 20)
    expect(clip(layout, 2)).toEqual({ rows: [">>> a", "... b"], cursorRow: 1, cursorColumn: 4 })
    expect(clip(at("a\nb\nc\nd", 7, 20), 2).rows).toEqual(["... c", "... d"])
  })

  test("are found again after the terminal has another width", () => {
    // ">>> abcdef" and "gh|" become ">>> ab", "cdef", "gh|".
    expect(rowAfterResize(at("abcdefgh", 8, 10), 6)).toBe(2)
  })
})
