import { expect, test } from "bun:test"
import {
  attentionBytesPerCell,
  contextAdvice,
  hasPlainCache,
  leastContextBytes,
  type LayoutInput,
  planLayout,
} from "../../src/formats/kv-layout"

const GIGABYTE = 1024 ** 3
const MEBIBYTE = 1024 ** 2

/** A pool of a size that was set, for 16 slots of 1,024 tokens. */
const FIXED: LayoutInput = {
  requestedContext: 1024,
  trainedContext: 32768,
  slots: 16,
  bytesPerCell: 16 * 1024,
  computeBytesPerCell: 2048,
  freeBytes: 8 * GIGABYTE,
  layout: null,
  cells: 16 * 1024,
}

test.each([
  ["split, where that is enough for every slot", {}, "split", 16 * 1024, 1024],
  ["unified, where it is not", { cells: 4096 }, "unified", 4096, 1024],
  ["the layout that was asked for", { layout: "unified" }, "unified", 16 * 1024, 1024],
  ["split, where asked for, though it takes more", { layout: "split", cells: 4096 }, "split", 16384, 1024],
  ["one conversation, where fewer cells were asked for", { cells: 100 }, "unified", 1024, 1024],
  ["cells in whole steps of 256", { requestedContext: 1000, slots: 2 }, "split", 2048, 1000],
  ["one conversation of that size by default", { requestedContext: null }, "unified", 16384, 16384],
  ["no longer than trained", { requestedContext: null, trainedContext: 512 }, "split", 8192, 512],
] as const)(
  "a cache of a size that was set is %s, and does not grow",
  (_, differs, layout, cells, context) => {
    const plan = planLayout({ ...FIXED, ...differs })
    expect(plan).toMatchObject({ layout, cells, mostCells: cells, contextLength: context })
  },
)

/**
 * 30 KiB per token with its mask: a whole conversation of 32,768 tokens is 960 MiB, and 448 more when it grows from half
 * of that.
 */
const GROWING: LayoutInput = { ...FIXED, requestedContext: null, bytesPerCell: 28 * 1024, cells: null }

test.each([
  ["small shares for many", {}, "split", 16 * 256, 16],
  ["the same memory for few", { slots: 4 }, "split", 4 * 1024, 4],
  ["shares for the first of very many", { slots: 100 }, "split", 16 * 256, 16],
  ["one pool for one", { slots: 1 }, "unified", 4096, 1],
  ["the layout that was asked for", { layout: "unified" }, "unified", 4096, 16],
  ["no more than conversations may have", { requestedContext: 512, slots: 2 }, "split", 1024, 2],
] as const)("otherwise it starts with %s", (_, differs, layout, cells, sequences) => {
  expect(planLayout({ ...GROWING, ...differs })).toMatchObject({ layout, cells, sequences })
})

test("it may grow until every slot has a whole conversation", () => {
  expect(planLayout(GROWING)).toMatchObject({ slots: 16, mostCells: 16 * 32_768, layoutIsFixed: false })
  expect(planLayout({ ...GROWING, layout: "split" }).layoutIsFixed).toBe(true)
})

test("conversations are as long as trained where one of them fits, otherwise as long as fits", () => {
  const longest = (differs: Partial<LayoutInput>) => {
    const { contextLength, contextLimitedBy } = planLayout({ ...GROWING, ...differs })
    return [contextLength, contextLimitedBy]
  }
  expect(longest({ freeBytes: 1408 * MEBIBYTE })).toEqual([32_768, undefined])
  expect(longest({ freeBytes: 1407 * MEBIBYTE })).toEqual([32_512, "memory"])
  // It moves from the first 4,096 cells, or does not move.
  expect(longest({ freeBytes: 232 * MEBIBYTE })).toEqual([4096, "memory"])
  expect(longest({ freeBytes: 240 * MEBIBYTE })).toEqual([4352, "memory"])
  expect(longest({ freeBytes: 30 * MEBIBYTE })).toEqual([1024, "memory"])
  expect(longest({ freeBytes: 0 })).toEqual([512, "memory"])
  expect(longest({ freeBytes: 0, trainedContext: 300 })).toEqual([300, undefined])
  // What was set is taken; the load tells whether it fits.
  expect(longest({ freeBytes: 0, requestedContext: 16_384 })).toEqual([16_384, undefined])
})

test("layers leave the GPUs rather than that conversations are shorter than usual, but no further", () => {
  const longest = (differs: Partial<LayoutInput>) => planLayout({ ...GROWING, ...differs }).contextLength
  expect(longest({ freeBytes: 0, otherBytes: GIGABYTE })).toBe(8192)
  expect(longest({ freeBytes: 480 * MEBIBYTE, otherBytes: GIGABYTE })).toBe(16_384)
  expect(longest({ freeBytes: 0, otherBytes: 60 * MEBIBYTE })).toBe(2048)
})

test("a context takes its cells and a mask over those of one sequence", () => {
  const computeBytesPerCell = attentionBytesPerCell(9, { flashAttention: "auto" })
  const size = { contextLength: 1000, cells: 4096, certainBytes: 4096 * 100, computeBytesPerCell }
  expect(leastContextBytes(size)).toBe(4096 * 100 + 1024 * 512 * 4)
})

test("without flash attention every head has scores of that size as well", () => {
  expect(attentionBytesPerCell(9, { flashAttention: "off" })).toBe(512 * 4 * 10)
})

test("a cache is exact arithmetic where every layer has the same cells, and nothing else", () => {
  const plain = { "attention.head_count_kv": 8, "attention.key_length": 128 }
  const isPlain = (more: Readonly<Record<string, string | number>>) =>
    hasPlainCache((key) => ({ ...plain, ...more })[key])
  expect(isPlain({})).toBe(true)
  expect(hasPlainCache(() => undefined)).toBe(true)
  expect(isPlain({ "attention.sliding_window": 0 })).toBe(true)
  for (const key of ["attention.sliding_window", "ssm.state_size", "attention.kv_lora_rank"])
    expect(isPlain({ [key]: 512 })).toBe(false)
  // As a list is described, by our own reader and by llama.cpp.
  for (const list of ["i32[32]", "[8, 8, 0]"])
    expect(isPlain({ "attention.head_count_kv": list })).toBe(false)
})

test("what does not fit is told with its size and what would make it smaller", () => {
  const cells = 16 * 1_048_576
  const bytes = cells * 24 * 1024
  const kv = { layout: "split", cells, contextLength: 1_000_000, bytes, computeBytesPerCell: 2048 } as const
  const settings = { slots: 16, kvTypeK: "f16", kvTypeV: "f16", flashAttention: "auto" } as const
  expect(contextAdvice(kv, settings, 8 * GIGABYTE)).toBe(
    "its KV cache of 16777216 tokens takes 384.0 GiB; use a smaller --ctx (at most 20480 now), fewer --slots or " +
      "--cache-type-k q8_0 and --cache-type-v q8_0",
  )
  expect(
    contextAdvice({ ...kv, layout: "unified" }, { ...settings, kvTypeK: "q8_0", kvTypeV: "q4_0" }, -1),
  ).toBe("its KV cache of 16777216 tokens takes 384.0 GiB; use a smaller --ctx")
  const scored = {
    ...kv,
    bytes: cells * 1024,
    computeBytesPerCell: attentionBytesPerCell(32, { flashAttention: "off" }),
  }
  expect(contextAdvice(scored, { ...settings, flashAttention: "off" }, 8 * GIGABYTE)).toBe(
    "its KV cache of 16777216 tokens takes 16.0 GiB, and the attention scores and the mask for computing over them " +
      "63.0 GiB; use a smaller --ctx (at most 101120 now) or --flash-attn auto",
  )
})
