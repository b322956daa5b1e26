import { expect, test } from "bun:test"
import { effectiveSampling, modelDefaults } from "../../../src/worker/text/sampling"

test("a request that says nothing gets llama.cpp's defaults", () => {
  expect(modelDefaults(() => undefined)).toMatchObject({
    temperature: 0.8,
    topK: 40,
    topP: 0.95,
    minP: 0.05,
    repeatPenalty: 1,
    seed: null,
    ignoreEos: false,
  })
})

test("what the model's file recommends comes before the defaults", () => {
  const file: Record<string, string> = {
    "general.sampling.temp": "0.6",
    "general.sampling.top_k": "20",
    "general.sampling.penalty_repeat": "1.05",
  }
  const defaults = modelDefaults((key) => file[key])
  expect(defaults).toMatchObject({ temperature: 0.6, topK: 20, repeatPenalty: 1.05, topP: 0.95 })
})

test("what the model's file says wrongly is passed over", () => {
  expect(modelDefaults(() => "hot")).toEqual(modelDefaults(() => undefined))
})

test("what nobody could ask for is passed over where the model's file recommends it", () => {
  const usual = modelDefaults(() => undefined)
  expect(modelDefaults(() => "1e30")).toEqual(usual)
  expect(modelDefaults(() => "-1e30")).toEqual(usual)
  const file: Record<string, string> = {
    "general.sampling.penalty_last_n": "4000000000",
    "general.sampling.penalty_repeat": "0",
    "general.sampling.top_k": "-1",
    "general.sampling.top_p": "0.9",
  }
  expect(modelDefaults((key) => file[key])).toEqual({ ...usual, topK: 0, topP: 0.9 })
})

test("what the request says comes before both, and 0 is said", () => {
  const defaults = modelDefaults((key) => (key === "general.sampling.temp" ? "0.6" : undefined))
  expect(effectiveSampling(defaults, { temperature: 0 })).toEqual({ ...defaults, temperature: 0 })
})
