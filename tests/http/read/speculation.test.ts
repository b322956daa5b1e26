import { expect, test } from "bun:test"
import { Fields } from "../../../src/http/read/fields"
import { readSpeculation } from "../../../src/http/read/speculation"
import { PREDICTION } from "../../../src/limits"

const read = (fields: Readonly<Record<string, unknown>>) => readSpeculation(new Fields(fields))

test("only as much of an expected text is sent on as is used", () => {
  const most = PREDICTION.tokens * PREDICTION.tokenCharacters
  const { prediction } = read({ prediction: { type: "content", content: "x".repeat(2_000_000) } })
  expect(prediction).toHaveLength(most)
  // Not half a character.
  const cut = read({ prediction: { type: "content", content: `x${"🌙".repeat(most)}` } }).prediction
  expect(cut).toHaveLength(most)
  expect(cut?.isWellFormed()).toBe(true)
})

test("llama-server's names for drafts are read", () => {
  const fields = {
    "speculative.type": "ngram-mod",
    "speculative.n_max": 1000,
    "speculative.n_min": 2,
    "speculative.p_min": 0.75,
  }
  expect(read(fields).speculation).toEqual({ mode: "ngram", most: 63, least: 2, leastProbability: 0.75 })
  expect(() => read({ "speculative.p_min": 1.5 })).toThrow("speculative.p_min must be")
})
