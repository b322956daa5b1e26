import { describe, expect, test } from "bun:test"
import type { SamplingParameters } from "../../../../src/domain/chat"
import { effectiveSampling, modelDefaults } from "../../../../src/worker/text/sampling/sampling"

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
  expect(effectiveSampling(defaults, { temperature: 0 }, 4096)).toEqual({ ...defaults, temperature: 0 })
})

describe("whatever a file or a request says", () => {
  const effective = (sampling: Partial<SamplingParameters>) =>
    effectiveSampling(
      modelDefaults(() => undefined),
      sampling,
      4096,
    )

  test("nothing looks back further than the context is long", () => {
    expect(effective({ repeatLastN: 2_000_000_000, dryPenaltyLastN: 2_000_000_000 })).toMatchObject({
      repeatLastN: 4096,
      dryPenaltyLastN: 4096,
    })
    expect(effective({ repeatLastN: -5, dryPenaltyLastN: -1 })).toMatchObject({
      repeatLastN: -1,
      dryPenaltyLastN: -1,
    })
    const file = (key: string) => (key === "general.sampling.penalty_last_n" ? "2e9" : undefined)
    expect(effectiveSampling(modelDefaults(file), {}, 512).repeatLastN).toBe(512)
    expect(
      effectiveSampling(
        modelDefaults(() => undefined, { repeatLastN: 1e300 }),
        {},
        512,
      ),
    ).toMatchObject({
      repeatLastN: 512,
    })
  })

  test("counts are whole numbers of 32 bits", () => {
    expect(effective({ topK: 1e300, minKeep: -1, dryAllowedLength: 2.9 })).toMatchObject({
      topK: 2 ** 31 - 1,
      minKeep: 0,
      dryAllowedLength: 2,
    })
  })

  test("what is no number is as if nothing had been said", () => {
    expect(effective({ topP: Number.NaN, temperature: Number.NaN })).toMatchObject({
      topP: 0.95,
      temperature: 0.8,
    })
  })

  test("logits are divided by nothing that makes them infinite", () => {
    expect(effective({ temperature: 1e-40 }).temperature).toBe(0)
    expect(effective({ temperature: 1e-4 }).temperature).toBe(1e-4)
    expect(effective({ temperature: -1 }).temperature).toBe(0)
    expect(effective({ repeatPenalty: 0 }).repeatPenalty).toBe(0.01)
  })
})
