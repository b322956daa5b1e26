import { describe, expect, test } from "bun:test"
import type { Inputs } from "../../src/config/load"
import { effectiveModelSettings, settingsOfModel } from "../../src/config/model-settings"
import { perModelSettings } from "../../src/config/schema"
import { MODEL_SETTINGS, type SettingRow } from "../../src/domain/settings"

/** What was said on the command line, by variables and in the file (by paths). */
function said(
  flags: Inputs["flags"] = {},
  environment: Inputs["environment"] = {},
  file?: Readonly<Record<string, unknown>>,
): Inputs {
  const values = new Map(Object.entries(file ?? {}))
  return { flags, environment, ...(file !== undefined && { file: { path: "/c.yaml", values } }) }
}

describe("the table of settings", () => {
  const rows = Object.values<SettingRow>(MODEL_SETTINGS)

  test("names each setting and each flag once", () => {
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
    expect(Object.keys(perModelSettings)).toEqual(rows.map(({ flag }) => flag))
  })

  test.each(rows.map((row) => [row.name, row] as const))(
    "gives %s a fallback that can be set",
    (name, row) => {
      const setting = Object.values(perModelSettings).find(({ path }) => path === `defaults.${name}`)
      expect(setting?.fallback).toEqual(row.fallback as never)
      expect(setting?.value.parse(setting.value.show(row.fallback as never), "it")).toEqual(
        row.fallback as never,
      )
    },
  )
})

describe("a model", () => {
  test("is loaded with what was said, and the rest is left to the worker", () => {
    const flags = { ctx: 4096, threads: 2, tensorSplit: [3, 1], kv: "split", mmap: false }
    expect(settingsOfModel(said(flags, { XLLM_CACHE_TYPE_K: "q8_0" }), { name: "any" })).toEqual({
      contextLength: 4096,
      slots: 16,
      decodeThreads: 2,
      prefillThreads: null,
      gpuLayers: null,
      splitMode: "layer",
      tensorSplit: [3, 1],
      devices: null,
      kvTypeK: "q8_0",
      kvTypeV: "f16",
      kvLayout: "split",
      kvCells: null,
      flashAttention: "auto",
      ropeScaling: null,
      ropeFreqBase: null,
      ropeFreqScale: null,
      yarnOriginalContext: null,
      speculation: "auto",
      draftModel: null,
      draftMax: 16,
      draftMin: 0,
      draftLeastProbability: 0,
      pooling: "auto",
      seed: null,
      reasoning: "auto",
      reasoningBudget: -1,
      pictureTokens: 1024,
      memoryMap: false,
      memoryLock: false,
      priority: "normal",
      pinned: false,
      keepAliveSeconds: 300,
      stepTimeoutSeconds: null,
      replicas: 1,
      preload: false,
    })
  })

  test("has settings of its own in the file, which flags and variables are stronger than", () => {
    const file = {
      "defaults.ctx": 1000,
      "models.a.b.ctx": 2000,
      "models.a.b.keep_alive": null,
      "models.a.b.slots": 4,
      "models.a.b.priority": "high",
    }
    const inputs = said({ slots: 2 }, { XLLM_PRIORITY: "low" }, file)
    expect(settingsOfModel(inputs, { name: "a.b" })).toMatchObject({
      contextLength: 2000,
      keepAliveSeconds: null,
      slots: 2,
      priority: "low",
    })
    expect(settingsOfModel(inputs, { name: "other" })).toMatchObject({
      contextLength: 1000,
      keepAliveSeconds: 300,
    })
  })

  test("may be named without the tag that names have where there is no other", () => {
    const file = { "models.smollm.ctx": 100, "models.smollm:latest.slots": 3, "models.smollm:q8.ctx": 200 }
    const of = (name: string) => settingsOfModel(said({}, {}, file), { name })
    expect(of("smollm:latest")).toMatchObject({ contextLength: 100, slots: 3 })
    expect(of("smollm:q8")).toMatchObject({ contextLength: 200, slots: 16 })
    expect(of("smollm:q4")).toMatchObject({ contextLength: null })
  })

  test("may be named in another case, the same case first", () => {
    const file = { "models.SmolLM.ctx": 100, "models.smollm.slots": 3, "models.SMOLLM:Latest.ctx": 200 }
    const of = (name: string) => settingsOfModel(said({}, {}, file), { name })
    expect(of("smollm:latest")).toMatchObject({ contextLength: 100, slots: 3 })
    expect(of("SMOLLM:Latest")).toMatchObject({ contextLength: 200, slots: 3 })
    expect(of("smollm:q8")).toMatchObject({ contextLength: null, slots: 16 })
  })

  test.each<[string, Inputs, string]>([
    ["by default", said(), "layer"],
    ["as all do", said({}, {}, { "gpu.split_mode": "row" }), "row"],
    ["in its own way", said({}, {}, { "gpu.split_mode": "row", "models.m.split_mode": "none" }), "none"],
    ["as the flag says", said({ splitMode: "none" }, {}, { "gpu.split_mode": "row" }), "none"],
  ])("is split over GPUs %s", (_how, inputs, mode) => {
    expect(settingsOfModel(inputs, { name: "m" }).splitMode).toBe(mode as "layer")
  })

  test("has what it brings along where nobody has set anything", () => {
    const defaults = {
      settings: {
        contextLength: 512,
        decodeThreads: 3,
        keepAliveSeconds: null,
        memoryMap: false,
        gpuLayers: 0,
      },
    }
    const inputs = said({ threads: 2 }, { XLLM_MMAP: "1" }, { "defaults.keep_alive": 60 })
    expect(settingsOfModel(inputs, { name: "m", defaults })).toMatchObject({
      contextLength: 512,
      decodeThreads: 2,
      keepAliveSeconds: 60,
      memoryMap: true,
      gpuLayers: 0,
      slots: 16,
    })
  })

  test("can be told the origin of each setting", () => {
    const inputs = said({ ctx: 64 }, { XLLM_THREADS: "2" }, { "models.m.slots": 4, "gpu.split_mode": "row" })
    const defaults = { settings: { contextLength: 512, kvTypeK: "q8_0", keepAliveSeconds: 90 } } as const
    const settings = effectiveModelSettings(inputs, { name: "m", defaults })
    expect(settings).toHaveLength(Object.keys(perModelSettings).length)
    const of = (wanted: string) => settings.find(({ name }) => name === wanted)
    expect(["ctx", "threads", "slots", "split_mode", "cache_type_k", "keep_alive", "mlock"].map(of)).toEqual([
      { name: "ctx", shown: "64", from: "set by --ctx" },
      { name: "threads", shown: "2", from: "set by XLLM_THREADS" },
      { name: "slots", shown: "4", from: "set in /c.yaml" },
      { name: "split_mode", shown: "row", from: "set in /c.yaml" },
      { name: "cache_type_k", shown: "q8_0", from: "Modelfile" },
      { name: "keep_alive", shown: "90s", from: "Modelfile" },
      { name: "mlock", shown: "false", from: "built in" },
    ])
  })
})
