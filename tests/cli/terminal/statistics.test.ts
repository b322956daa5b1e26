import { expect, test } from "bun:test"
import { statistics } from "../../../src/cli/terminal/statistics"

test("an answer's statistics are rows of equal columns, and the first token is not part of the rate", () => {
  const usage = { promptTokens: 30, completionTokens: 11, cachedTokens: 10 }
  const timings = {
    queueMs: 0,
    loadMs: 1500,
    promptTokens: 20,
    promptMs: 100,
    generatedTokens: 11,
    generationMs: 200,
  }
  expect(statistics(usage, timings, 1800)).toBe(`total duration:       1.8s
load duration:        1.5s
prompt eval count:    20 token(s)
prompt cached count:  10 token(s)
prompt eval duration: 100ms
prompt eval rate:     200.00 tokens/s
eval count:           11 token(s)
eval duration:        200ms
eval rate:            50.00 tokens/s
`)
})

test("what did not happen is left out", () => {
  const usage = { promptTokens: 30, completionTokens: 1, cachedTokens: 0 }
  const timings = {
    queueMs: 0,
    loadMs: 0,
    promptTokens: 30,
    promptMs: 10,
    generatedTokens: 1,
    generationMs: 0,
  }
  const text = statistics(usage, timings, 10)
  expect(text).not.toContain("load")
  expect(text).not.toContain("cached")
  expect(text).not.toContain("eval rate:            ")
  expect(text).not.toMatch(/NaN|Infinity/)
})
