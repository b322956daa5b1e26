import { expect, test } from "bun:test"
import { Thinking } from "../../../src/cli/terminal/thinking"
import { WordWrap } from "../../../src/cli/terminal/word-wrap"

/** What is shown of thinking that comes in these pieces. */
function shown(pieces: readonly string[], end: "end" | "breakOff" = "end", options = {}): string {
  let out = ""
  const thinking = new Thinking({ write: (text) => void (out += text), hasColors: false, ...options })
  for (const piece of pieces) thinking.add(piece)
  thinking[end]()
  return out
}

test("thinking stands between two lines, without the blanks around it", () => {
  expect(shown(["\n", "\n2 +", " 2", "\n\nis 4", ".\n", "\n"])).toBe(
    "Thinking...\n2 + 2\n\nis 4.\n...done thinking.\n\n",
  )
})

test("thinking of blanks alone is not shown", () => {
  expect(shown(["\n", " \n"])).toBe("")
  expect(shown([])).toBe("")
})

test("it is grey where there are colours", () => {
  expect(shown(["a", "b"], "end", { hasColors: true })).toBe(
    "\x1b[90mThinking...\nab\n...done thinking.\n\n\x1b[0m",
  )
})

test("what is broken off leaves the cursor on a new line, in the usual colour", () => {
  expect(shown(["a", "b"], "breakOff", { hasColors: true })).toBe("\x1b[90mThinking...\nab\n\x1b[0m")
  expect(shown([], "breakOff", { hasColors: true })).toBe("")
})

test("it is wrapped between words", () => {
  const wrap = new WordWrap(() => 20)
  expect(shown(["one two three", " fourteen"], "end", { wrap })).toBe(
    "Thinking...\none two three fourt\x1b[5D\x1b[K\nfourteen\n...done thinking.\n\n",
  )
})
