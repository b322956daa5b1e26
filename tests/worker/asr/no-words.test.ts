import { expect, test } from "bun:test"
import { hasNoWords } from "../../../src/worker/asr/no-words"

test.each([
  "[Music]",
  "[BLANK_AUDIO]",
  "(phone ringing)",
  " (beeping) [Applause]",
  "*sighs*",
  "♪ ♪",
  "(coughs).",
])("%p has no words", (text) => {
  expect(hasNoWords(text)).toBe(true)
})

test.each(["Hello (laughs)", "(quietly) Hello", "♪ la la la ♪", "5", "良い", "f(x) = [1]", "5 * 3 * 2"])(
  "%p is kept",
  (text) => {
    expect(hasNoWords(text)).toBe(false)
  },
)

test("a text of brackets without an end is judged at once", () => {
  expect(hasNoWords("(".repeat(100_000) + "x")).toBe(false)
  expect(hasNoWords("() ".repeat(100_000) + "x")).toBe(false)
})
