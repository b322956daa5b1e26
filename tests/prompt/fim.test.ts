import { describe, expect, test } from "bun:test"
import { Unsupported } from "../../src/errors/request"
import { fitGap, renderFiles, renderFim } from "../../src/prompt/fim"

const tokens = { prefix: 7, suffix: 8, middle: 9 }

test("what is before the gap comes first, then what is after it, then the place for the answer", () => {
  expect(renderFim({ prompt: "a = ", suffix: "\nprint(a)" }, tokens)).toEqual([
    { type: "tokens", ids: [7] },
    { type: "text", text: "a = " },
    { type: "tokens", ids: [8] },
    { type: "text", text: "\nprint(a)" },
    { type: "tokens", ids: [9] },
  ])
})

test("a prompt of tokens stays one", () => {
  expect(renderFim({ prompt: [1, 2], suffix: "" }, tokens)[1]).toEqual({ type: "tokens", ids: [1, 2] })
})

test("a model without the tokens cannot fill gaps", () => {
  expect(() => renderFim({ prompt: "a", suffix: "b" }, undefined)).toThrow(Unsupported)
})

describe("other files", () => {
  const files = [
    { name: "a.h", text: "int a;" },
    { name: "", text: "int b;" },
  ]

  test("have their own tokens where the model knows them", () => {
    expect(renderFiles(files, { ...tokens, repository: 10, file: 11 })).toEqual([
      { type: "tokens", ids: [10] },
      { type: "text", text: "project\n" },
      { type: "tokens", ids: [11] },
      { type: "text", text: "a.h\nint a;" },
      { type: "tokens", ids: [11] },
      { type: "text", text: "\nint b;" },
      { type: "tokens", ids: [11] },
      { type: "text", text: "\n" },
    ])
    expect(renderFiles([], { ...tokens, file: 11 })).toEqual([])
  })

  test("are plain text for other models", () => {
    expect(renderFiles(files, tokens)).toEqual([
      { type: "text", text: "a.h\nint a;\n\n" },
      { type: "text", text: "int b;\n\n" },
    ])
  })
})

test.each([
  [100, { before: 10, after: 10 }, { before: 10, after: 10 }],
  [100, { before: 200, after: 200 }, { before: 75, after: 25 }],
  [100, { before: 20, after: 200 }, { before: 20, after: 80 }],
  [100, { before: 200, after: 5 }, { before: 95, after: 5 }],
  [0, { before: 9, after: 9 }, { before: 0, after: 0 }],
])("a room of %d tokens for %j keeps %j", (room, gap, kept) => {
  expect(fitGap(room, gap)).toEqual(kept)
})
