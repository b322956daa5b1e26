import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { KvPlan, TextModelSettings } from "../../../src/domain/settings"
import { writeTinyModel } from "../../support/files/tiny-model"
import { RealWorker } from "../../support/real/real-worker"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const { path } = writeTinyModel(join(folder.path, "tiny.gguf"))
afterAll(() => folder[Symbol.dispose]())

/** Two layers of 32 keys and as many values, in f32. */
const BYTES_PER_CELL = 2 * 64 * 4

async function failure(settings: Partial<TextModelSettings>, model = path): Promise<unknown> {
  const worker = await RealWorker.start(model, { settings }).catch((error: unknown) => error)
  if (worker instanceof RealWorker) await worker[Symbol.asyncDispose]()
  return worker
}

test.each([
  ["a context", { contextLength: 1_000_000_000, slots: 1, kvCells: 1 }, 1_000_000_000],
  [
    "a context for each of many slots",
    { contextLength: 8_000_000, slots: 200, kvLayout: "split", kvCells: 1 },
    1_600_000_000,
  ],
  ["a pool", { kvCells: 1_000_000_000, kvLayout: "unified" }, 1_000_000_000],
] as const)("%s that all memory would not hold is refused before it is made", async (_, settings, cells) => {
  const error = await failure(settings)
  expect(error).toMatchObject({ code: "not_enough_memory", status: 507, details: { outOfMemory: true } })
  const { details, message } = error as { details: Record<string, number>; message: string }
  expect(details["needed_bytes"]).toBeGreaterThanOrEqual(cells * BYTES_PER_CELL)
  expect(details["available_bytes"]).toBeLessThan(cells * BYTES_PER_CELL)
  expect(message).toMatch(
    /its KV cache of \d+ tokens takes \d+\.\d GiB(, and .*the mask .* GiB)?; use a smaller --ctx/,
  )
})

test("a long context takes no memory until a conversation is long", async () => {
  await using worker = await RealWorker.start(path, { settings: { contextLength: 8_000_000, slots: 200 } })
  expect(worker.info).toMatchObject({ contextLength: 8_000_000, kvCells: 4096 })
})

test("a context beyond what llama.cpp counts is refused by its number, whatever a token takes", async () => {
  const mamba = writeTinyModel(join(folder.path, "mamba.gguf"), { architecture: "mamba" })
  for (const model of [path, mamba.path])
    for (const contextLength of [2 ** 32, 1e15]) {
      const error = await failure({ contextLength, slots: 1 }, model)
      expect(error).toMatchObject({ code: "model_load_failed" })
      expect((error as Error).message).toContain("is more than llama.cpp's limit of 2147483392")
    }
})

test("a worker makes the KV cache that was planned, whatever it would choose itself", async () => {
  const bytes = 1024 * BYTES_PER_CELL
  const kv: KvPlan = {
    layout: "unified",
    cells: 1024,
    sequences: 4,
    slots: 4,
    contextLength: 700,
    mostCells: 1024,
    layoutIsFixed: false,
    bytes,
    bytesPerCell: BYTES_PER_CELL,
    bytesPerSequence: 0,
    computeBytes: 0,
    computeBytesPerCell: 2048,
    certainBytes: bytes,
  }
  await using worker = await RealWorker.start(path, {
    settings: { contextLength: 2048, kvLayout: "split", slots: 4 },
    kv,
  })
  expect(worker.info).toMatchObject({
    kvLayout: "unified",
    kvCells: 1024,
    contextLength: 700,
    kvBytes: 1024 * BYTES_PER_CELL,
  })
})

test("a worker without a plan of its KV cache refuses to load", async () => {
  const error = await RealWorker.start(path, { kv: null }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: "internal_error" })
})

test("the cache of a model with states or windows has the size that the engine planned", async () => {
  const settings = { contextLength: 4096, kvLayout: "split", slots: 2, kvCells: 8192 } as const
  const bytes = async (architecture: "mamba" | "swa") => {
    const model = writeTinyModel(join(folder.path, `${architecture}-planned.gguf`), { architecture })
    await using worker = await RealWorker.start(model.path, { settings })
    return worker.info
  }
  const cells = 2 * 4096
  const mamba = await bytes("mamba")
  expect(mamba.kvCells).toBe(cells)
  // Of each slot, in f32: two layers of 128 inner values with three inputs of the convolution and a state of 16.
  expect(mamba.kvBytes).toBe(2 * 2 * 128 * (3 + 16) * 4)
  const inWindows = 2 * (32 + 512)
  expect((await bytes("swa")).kvBytes).toBe(inWindows * BYTES_PER_CELL)
})

test("a worker reports how positions are scaled", async () => {
  const ropeOf = async (settings: Partial<TextModelSettings>) => {
    await using worker = await RealWorker.start(path, {
      settings: { contextLength: 512, slots: 1, ...settings },
    })
    return worker.info.kind === "text" ? worker.info.rope : undefined
  }
  expect(await ropeOf({})).toEqual({ scaling: "none", freqBase: 10_000, freqScale: 1 })
  expect(await ropeOf({ ropeScaling: "yarn", ropeFreqScale: 0.25, ropeFreqBase: 500_000 })).toEqual({
    scaling: "yarn",
    freqBase: 500_000,
    freqScale: 0.25,
    originalContext: 4096,
  })
  expect(await ropeOf({ ropeFreqScale: 0.5 })).toEqual({
    scaling: "linear",
    freqBase: 10_000,
    freqScale: 0.5,
  })
})

test("scaled positions are refused for a model that has none", async () => {
  const mamba = writeTinyModel(join(folder.path, "mamba.gguf"), { architecture: "mamba" })
  const error = await failure({ contextLength: 512, slots: 1, ropeFreqScale: 0.5 }, mamba.path)
  expect(error).toMatchObject({ code: "unsupported", param: "rope_scaling" })
  expect((error as Error).message).toContain("has no rotary position embeddings")
})
