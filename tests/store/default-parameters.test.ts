import { expect, test } from "bun:test"
import { parametersOf } from "../../src/store/default-parameters"
import { defaultsOf } from "../../src/store/managed/defaults"
import type { Manifest } from "../../src/store/managed/manifest"

const manifestWith = (parameters: Manifest["parameters"]): Manifest => ({
  version: 1,
  kind: "text",
  createdAt: "2026-01-01T00:00:00.000Z",
  files: [],
  parameters,
})

test("the parameters that a model brings along are told as a Modelfile has them", () => {
  const parameters = {
    temperature: 0.5,
    top_k: 9,
    seed: -1,
    ignore_eos: true,
    stop: ["<end>", "a b"],
    num_predict: 64,
    num_ctx: 4096,
    num_thread: 3,
    keep_alive: 90,
    cache_type_k: "q8_0",
    rope_scaling: "yarn",
    rope_freq_base: 1_000_000,
    rope_freq_scale: 0.25,
    yarn_orig_ctx: 32_768,
  }
  expect(parametersOf(defaultsOf(manifestWith(parameters)))).toEqual(parameters)
})

test("a model that brings nothing along has none", () => {
  expect(parametersOf(undefined)).toEqual({})
  expect(parametersOf(defaultsOf(manifestWith({})))).toEqual({})
})
