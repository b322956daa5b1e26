import { expect, test } from "bun:test"
import { shorten } from "../../../src/lib/text/shorten"

test("a text that is short enough stays as it is, a longer one ends with a mark", () => {
  expect(shorten("abc", 3)).toBe("abc")
  expect(shorten("abcd", 3)).toBe("abc…")
})

test("no character is cut in two", () => {
  expect(shorten("ab😀cd", 3)).toBe("ab…")
  expect(shorten("ab😀cd", 4)).toBe("ab😀…")
})
