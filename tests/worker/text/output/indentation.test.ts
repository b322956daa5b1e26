import { expect, test } from "bun:test"
import { answerOutputOf } from "../../../../src/worker/text/output/answer-reading"
import { Indentation } from "../../../../src/worker/text/output/indentation"

/** What is kept of the pieces, and whether it ended before all of them. */
function kept(least: number, pieces: readonly string[]): readonly [string, boolean] {
  const indentation = new Indentation(least)
  let all = ""
  for (const piece of pieces) {
    const { text, isOver } = indentation.take(piece)
    all += text
    if (isOver) return [all, true]
  }
  return [all, false]
}

test.each([
  ["a line with less indentation ends the answer", 4, "x\n    y\n  z", "x\n    y\n  ", true],
  ["so does an empty line", 4, "x\n\n    y", "x\n", true],
  ["the first line needs none", 4, "x\n    y\n\t\t\t\tz", "x\n    y\n\t\t\t\tz", false],
  ["a break at the end leaves it open", 4, "x\n", "x\n", false],
  ["0 allows all", 0, "x\ny\n\nz", "x\ny\n\nz", false],
])("%s", (_, least, text, expected, isOver) => {
  expect(kept(least, [text])).toEqual([expected, isOver])
  expect(kept(least, Array.from(text))).toEqual([expected, isOver])
})

test("what was held back after such a line is not shown at the end", () => {
  const answer = answerOutputOf({ stops: [], keepsStop: false, leastIndent: 2 })
  const bytes = new TextEncoder().encode("a\nbc")
  expect(answer.push(bytes)).toMatchObject({
    isOver: true,
    events: [{ type: "part-start" }, { text: "a\n" }],
  })
  expect(answer.end(false)).toEqual([{ type: "part-end", part: "text" }])
})
