import { expect, test } from "bun:test"
import { hasOnlySoundNotes } from "../../../src/worker/asr/sound-notes"

test.each([
  "[Music]",
  "[BLANK_AUDIO]",
  "(phone ringing)",
  " (beeping) [Applause]",
  "*sighs*",
  "♪ ♪",
  "(coughs).",
])("%p has no words", (text) => {
  expect(hasOnlySoundNotes(text)).toBe(true)
})

test.each(["Hello (laughs)", "(quietly) Hello", "♪ la la la ♪", "", "(", "f(x) = [1]", "5 * 3 * 2"])(
  "%p is kept",
  (text) => {
    expect(hasOnlySoundNotes(text)).toBe(false)
  },
)

test("a text of brackets without an end is judged at once", () => {
  expect(hasOnlySoundNotes("(".repeat(100_000))).toBe(false)
  expect(hasOnlySoundNotes("() ".repeat(100_000) + "x")).toBe(false)
})
