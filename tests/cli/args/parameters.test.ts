import { describe, expect, test } from "bun:test"
import {
  answerOptions,
  parameterRows,
  type ParameterValues,
  setParameter,
} from "../../../src/cli/args/parameters"

describe("/set parameter", () => {
  test.each<[string, string[], ParameterValues]>([
    ["temperature", ["0.5"], { temperature: 0.5 }],
    ["top_k", ["40"], { topK: 40 }],
    ["num_predict", ["10"], { maxTokens: 10 }],
    ["max_tokens", ["-1"], { maxTokens: -1 }],
    ["stop", ["a", "b"], { stop: ["a", "b"] }],
    ["mirostat", ["2"], { mirostat: "2" }],
  ])("%s %p", (name, values, expected) => {
    expect(setParameter({}, name, values)).toEqual(expected)
  })

  test("keeps the others", () => {
    expect(setParameter({ seed: 1, topK: 2 }, "seed", ["3"])).toEqual({ seed: 3, topK: 2 })
  })

  test.each([
    ["temprature", ["1"], "unknown parameter 'temprature'; did you mean 'temperature'?"],
    ["frobnicate", ["1"], "unknown parameter 'frobnicate'"],
    ["temperature", ["9"], "temperature must be a number from 0 to 2, got '9'"],
    ["temperature", ["1", "2"], "temperature must be a number from 0 to 2, got '1 2'"],
    ["temperature", [], "temperature needs a value: /set parameter temperature X"],
  ])("%s %p is refused", (name, values, message) => {
    expect(() => setParameter({}, name, values)).toThrow(message)
  })
})

describe("a request", () => {
  test("says only what was said", () => {
    expect(answerOptions({})).toEqual({ sampling: {}, minTokens: 0, stop: [] })
  })

  test("has every parameter in its place", () => {
    const said = {
      temperature: 0,
      topK: 5,
      mirostat: "2",
      seed: 7,
      maxTokens: 9,
      minTokens: 1,
      stop: ["x"],
    } as const
    expect(answerOptions(said)).toEqual({
      sampling: { temperature: 0, topK: 5, mirostat: 2, seed: 7 },
      maxTokens: 9,
      minTokens: 1,
      stop: ["x"],
    })
  })

  test("may be as long as there is room for", () => {
    expect(answerOptions({ maxTokens: -1 })).toHaveProperty("maxTokens", Number.POSITIVE_INFINITY)
    expect(answerOptions({})).not.toHaveProperty("maxTokens")
    expect(answerOptions({ maxTokens: 0 })).toHaveProperty("maxTokens", 0)
  })
})

test("parameters are shown one a row, texts in quotes", () => {
  expect(parameterRows({ topK: 5, stop: ["\n", "END"] })).toEqual([
    ["top_k", "5"],
    ["stop", '"\\n"'],
    ["stop", '"END"'],
  ])
})
