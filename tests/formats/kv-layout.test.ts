import { expect, test } from "bun:test"
import { type LayoutInput, planLayout } from "../../src/formats/kv-layout"

const GIGABYTE = 1024 ** 3

/** 16 slots of 1,024 tokens with 16 KiB per token would be 256 MiB. */
const BASE: LayoutInput = {
  requestedContext: 1024,
  trainedContext: 32768,
  slots: 16,
  bytesPerCell: 16 * 1024,
  freeBytes: 8 * GIGABYTE,
  layout: null,
  cells: null,
}

test.each([
  ["split, where that takes at most a fifth of the free memory", {}, "split", 16 * 1024, 1024],
  ["split, where it takes a fifth exactly", { freeBytes: (5 * GIGABYTE) / 4 }, "split", 16 * 1024, 1024],
  ["unified within that fifth, where split is larger", { freeBytes: GIGABYTE }, "unified", 13312, 1024],
  ["one whole conversation, however little is free", { freeBytes: 1000 }, "unified", 1024, 1024],
  ["the layout that was asked for", { layout: "unified" }, "unified", 16 * 1024, 1024],
  [
    "split, where asked for, though it takes more",
    { layout: "split", freeBytes: 1000 },
    "split",
    16384,
    1024,
  ],
  ["the cells that were asked for", { cells: 4096 }, "unified", 4096, 1024],
  ["split, where the cells that were asked for are enough", { cells: 16 * 1024 }, "split", 16 * 1024, 1024],
  ["one conversation, where fewer cells were asked for", { cells: 100 }, "unified", 1024, 1024],
  ["cells in whole steps of 256", { requestedContext: 1000, slots: 2 }, "split", 2048, 1000],
  ["the trained length by default", { requestedContext: null, trainedContext: 2048 }, "split", 32768, 2048],
  ["no more than 8192 by default", { requestedContext: null, slots: 1 }, "split", 8192, 8192],
  ["more where that is asked for", { requestedContext: 16384, slots: 1 }, "split", 16384, 16384],
] as const)("the cache is %s", (_, differs, layout, cells, contextLength) => {
  expect(planLayout({ ...BASE, ...differs })).toEqual({ layout, cells, contextLength })
})
