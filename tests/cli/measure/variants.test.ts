import { expect, test } from "bun:test"
import { numbers, variantFlags, variantsOf } from "../../../src/cli/measure/variants"
import { BUILT_IN_SETTINGS } from "../../support/built-in-settings"

const value = numbers(0, 100)

test.each([
  ["1", [1]],
  ["4,1,4", [4, 1]],
  ["1-4", [1, 2, 3, 4]],
  ["1-9+4", [1, 5, 9]],
  ["1-8*2", [1, 2, 4, 8]],
])("%s stands for %p, as for llama-bench", (text, expected) => {
  expect(value.parse(text, "-t")).toEqual(expected)
})

test.each(["", "x", "1,", "5-1", "0-4*2", "1-4*1", "1-200", "-1"])(
  "'%s' is refused with the rule",
  (text) => {
    expect(() => value.parse(text, "-t")).toThrow("-t must be")
  },
)

test("a list has an end", () => {
  expect(() => value.parse("0-100", "-t")).toThrow("at most 64 values")
})

test("flags give every combination; what they leave open is as the model is set up", () => {
  const flags = {
    threads: [1, 2],
    gpuLayers: [0],
    batchSize: [256],
    flashAttn: variantFlags.flashAttn.value.parse("0,1", "-fa"),
    cacheTypeK: variantFlags.cacheTypeK.value.parse("q8_0", "-ctk"),
  }
  const variants = variantsOf(flags, { ...BUILT_IN_SETTINGS, kvTypeV: "bf16" })
  expect(variants.map(({ threads, flashAttention }) => [threads, flashAttention])).toEqual([
    [1, "off"],
    [1, "on"],
    [2, "off"],
    [2, "on"],
  ])
  // No more can be computed at once than a batch has.
  expect(variants[0]).toMatchObject({ microBatchTokens: 256, kvTypeK: "q8_0", kvTypeV: "bf16", gpuLayers: 0 })
})
