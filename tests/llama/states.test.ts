import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { Batch } from "../../src/llama/batch"
import { Context, type ContextOptions } from "../../src/llama/context"
import { Library } from "../../src/llama/library"
import { Model } from "../../src/llama/model"
import { locateLlama } from "../../src/native/llama-files"
import { writeTinyModel } from "../support/files/tiny-model"
import { EXACT_SETTINGS } from "../support/real/real-worker"
import { tempFolder } from "../support/temp-folder"
import { until } from "../support/until"
import { writeTinyVision } from "../support/vision/tiny-vision"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let library: Library

beforeAll(async () => {
  library = Library.open(await locateLlama("/nonexistent"), {
    useGpu: false,
    logDescriptor: devNull,
    logLevel: 4,
  })
})
afterAll(() => {
  folder[Symbol.dispose]()
  closeSync(devNull)
})

const CONTEXT: ContextOptions = {
  ...EXACT_SETTINGS,
  cells: 2048,
  layout: "unified",
  sequences: 4,
  batchTokens: 512,
  microBatchTokens: 512,
  outputs: 16,
  decodeThreads: 1,
  prefillThreads: 1,
}

/** Longer than the window of the fixture with one. */
const PROMPT = Array.from({ length: 150 }, (_, index) => 265 + ((index * 37) % 200))

const LAYOUTS = [
  { name: "unified, 4 sequences", layout: "unified", sequences: 4, cells: 2048 },
  { name: "unified, 9 sequences", layout: "unified", sequences: 9, cells: 4096 },
  { name: "split, 4 sequences", layout: "split", sequences: 4, cells: 2048 },
  { name: "split, 9 sequences", layout: "split", sequences: 9, cells: 9 * 512 },
] as const

describe.each(["llama", "swa", "mamba", "qwen2vl"] as const)("a model of type %s", (architecture) => {
  const load = (): Model => {
    // Its positions have dimensions, which are in its states.
    const path =
      architecture === "qwen2vl"
        ? writeTinyVision(folder.path, architecture).model
        : writeTinyModel(join(folder.path, `${architecture}.gguf`), { architecture }).path
    const model = Model.load(library, path, EXACT_SETTINGS)
    if (model === undefined) throw new Error("llama.cpp refused the model")
    return model
  }

  // A window's cells come to lie in another order, in which the same products are summed.
  const tolerance = architecture === "swa" ? 1e-4 : 0

  const make = (model: Model, options: Partial<ContextOptions>): Context => {
    const context = Context.create(model, { ...CONTEXT, ...options })
    if (context === undefined) throw new Error("llama.cpp refused the context")
    return context
  }

  const moves = LAYOUTS.flatMap((from) => LAYOUTS.map((to) => [from.name, to.name, from, to] as const))

  test.each(moves)("moves one sequence from %s to %s", (_, __, from, to) => {
    using model = load()
    using before = make(model, from)
    using after = make(model, to)
    feed(before, PROMPT, 0, 2)
    expect(after.restore(3, before.save(2))).toBe(true)
    expect(after.length(3)).toBe(PROMPT.length)
    for (let step = 0; step < 3; step++)
      expectSame(
        feed(after, [270 + step], PROMPT.length + step, 3),
        feed(before, [270 + step], PROMPT.length + step, 2),
        tolerance,
      )
  })

  test.each([
    ["unified", 4, 4096],
    ["unified", 9, 4096],
    ["split", 4, 4096],
  ] as const)("moves all sequences at once (%s, to %d sequences)", (layout, sequences, cells) => {
    using model = load()
    using before = make(model, { layout })
    using after = make(model, { layout, sequences, cells })
    const prompts = [PROMPT, PROMPT.slice(0, 99), PROMPT.slice(50, 120)]
    for (const [sequence, prompt] of prompts.entries()) feed(before, prompt, 0, sequence)
    expect(after.restoreAll(before.saveAll())).toBe(true)
    for (const [sequence, { length }] of prompts.entries())
      expectSame(feed(after, [270], length, sequence), feed(before, [270], length, sequence), tolerance)
  })
})

test.each(LAYOUTS.map((to) => [to.name, to] as const))(
  "a window's part of a state takes a sequence back, from a unified context to %s",
  (_, to) => {
    const path = writeTinyModel(join(folder.path, "window.gguf"), { architecture: "swa" }).path
    using model = Model.load(library, path, EXACT_SETTINGS)
    using before = context(model!)
    using after = context(model!, to)
    feed(before, PROMPT, 0, 2)
    const rolling = before.save(2, "rolling")
    const expected = feed(before, [270], PROMPT.length, 2)
    feed(before, [271, 272, 273], PROMPT.length + 1, 2)
    expect(after.restore(3, before.save(2))).toBe(true)
    after.truncate(3, PROMPT.length)
    expect(after.restore(3, rolling, "rolling")).toBe(true)
    expectSame(feed(after, [270], PROMPT.length, 3), expected, 1e-4)
  },
)

describe("a whole state", () => {
  test("holds cells that sequences share once, and leaves them shared", () => {
    using model = tiny()
    using before = context(model)
    using after = context(model, { cells: 1024 })
    feed(before, PROMPT, 0, 0)
    const alone = before.wholeStateSize
    for (const sequence of [1, 2, 3]) before.shareCells(0, sequence, 100)
    expect(before.wholeStateSize - alone).toBe(3 * 100 * 4)
    expect(after.restoreAll(before.saveAll())).toBe(true)
    expect([0, 1, 2, 3].map((sequence) => after.length(sequence))).toEqual([150, 100, 100, 100])
    // Only cells that are shared leave room for this.
    feed(after, Array(500).fill(300), 100, 1)
    expect(feed(after, [270], 150, 0).every(Number.isFinite)).toBe(true)
  })

  test("is refused by a context with fewer cells, which is then empty", () => {
    using model = tiny()
    using before = context(model, { cells: 512 })
    using after = context(model, { cells: 256 })
    feed(before, [...PROMPT, ...PROMPT], 0, 0)
    feed(after, PROMPT, 0, 1)
    expect(after.restoreAll(before.saveAll())).toBe(false)
    expect([0, 1, 2, 3].map((sequence) => after.length(sequence))).toEqual([0, 0, 0, 0])
  })
})

describe("a context made on a second thread", () => {
  test("computes as one made at once, while another of the same model is in use", async () => {
    using model = tiny()
    using before = context(model)
    const pending = Context.begin(model, { ...CONTEXT, cells: 8192 })
    const expected = feed(before, PROMPT, 0, 0)
    await until(() => pending.done)
    using after = pending.take()
    expect(after?.cells).toBe(8192)
    expect(feed(after!, PROMPT, 0, 0)).toEqual(expected)
  })

  test("is none where llama.cpp refuses", async () => {
    using model = tiny()
    const pending = Context.begin(model, { ...CONTEXT, sequences: 10_000 })
    await until(() => pending.done)
    expect(pending.take()).toBeUndefined()
  })

  test("may be given up before it is made, and after", async () => {
    // Not freed: the threads of those that are given up still use it.
    const model = tiny()
    const late = Context.begin(model, CONTEXT)
    await until(() => late.done)
    late.cancel()
    for (let round = 0; round < 20; round++) Context.begin(model, CONTEXT).cancel()
    using last = Context.begin(model, CONTEXT).take()
    expect(last).toBeDefined()
  })
})

function tiny(): Model {
  const model = Model.load(library, writeTinyModel(join(folder.path, "tiny.gguf")).path, EXACT_SETTINGS)
  if (model === undefined) throw new Error("llama.cpp refused the model")
  return model
}

function context(model: Model, options: Partial<ContextOptions> = {}): Context {
  const made = Context.create(model, { ...CONTEXT, ...options })
  if (made === undefined) throw new Error("llama.cpp refused the context")
  return made
}

function expectSame(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  const differences = expected.map((logit, token) => Math.abs(logit - (actual[token] ?? Number.NaN)))
  expect(differences.every((difference) => difference <= tolerance)).toBe(true)
}

/** Puts `tokens` behind `start` into a sequence; the logits of the last one. */
function feed(into: Context, tokens: readonly number[], start: number, sequence: number): Float32Array {
  const batch = new Batch(512, 16)
  const last = tokens.length - 1
  const indices = tokens.map((token, place) => batch.add(token, start + place, sequence, place === last))
  expect(into.decode(batch)).toBe("done")
  return into.logits(indices[last] ?? 0).slice()
}
