import { expect, test } from "bun:test"
import { Unsupported } from "../../src/errors/request"
import { renderFim } from "../../src/prompt/fim"

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
