import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { Batch } from "../../../../src/llama/batch"
import { Context } from "../../../../src/llama/context"
import { Library } from "../../../../src/llama/library"
import { Model } from "../../../../src/llama/model"
import { locateLlama } from "../../../../src/native/llama-files"
import { KvCache } from "../../../../src/worker/text/cache/kv-cache"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { EXACT_SETTINGS } from "../../../support/real/real-worker"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let model: Model

beforeAll(async () => {
  const files = await locateLlama("/nonexistent")
  const library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
  const loaded = Model.load(library, writeTinyModel(join(folder.path, "tiny.gguf")).path, EXACT_SETTINGS)
  if (loaded === undefined) throw new Error("llama.cpp refused the model")
  model = loaded
})
afterAll(() => {
  model[Symbol.dispose]()
  folder[Symbol.dispose]()
  closeSync(devNull)
})

const TOKENS = Array.from({ length: 100 }, (_, index) => 265 + ((index * 37) % 200))
const PROMPT = { tokens: TOKENS, media: [], cacheKey: "" }

/** A cache of two slots, the first of which has the prompt, and what its state takes. */
function cached(mostSavedBytes: (stateBytes: number) => number) {
  const context = Context.create(model, {
    ...EXACT_SETTINGS,
    cells: 512,
    layout: "split",
    sequences: 2,
    batchTokens: 512,
    microBatchTokens: 512,
    outputs: 8,
    decodeThreads: 1,
    prefillThreads: 1,
  })
  if (context === undefined) throw new Error("llama.cpp refused the context")
  const cache = new KvCache(context, model, () => mostSavedBytes(context.stateSize(0)))
  const [first, second] = cache.slots
  if (first === undefined || second === undefined) throw new Error("there are no slots")
  cache.occupy({ slot: first, source: first, keep: 0 }, PROMPT)
  const batch = new Batch(512, 2)
  TOKENS.forEach((token, place) => batch.add(token, place, 0, false))
  expect(context.decode(batch)).toBe("done")
  first.length = TOKENS.length
  return { context, cache, first, second }
}

test("a prefix is copied where there is memory for the copy", () => {
  const { context, cache, first, second } = cached((bytes) => bytes)
  expect(cache.occupy({ slot: second, source: first, keep: 80 }, PROMPT)).toBe(80)
  expect(context.length(second.id)).toBe(80)
  context[Symbol.dispose]()
})

test("and computed again where there is none", () => {
  const { context, cache, first, second } = cached((bytes) => bytes - 1)
  expect(cache.occupy({ slot: second, source: first, keep: 80 }, PROMPT)).toBe(0)
  expect([second.length, context.length(second.id), context.length(first.id)]).toEqual([0, 0, 100])
  context[Symbol.dispose]()
})

test("two slots change places only where there is memory for what is in them", () => {
  const enough = cached((bytes) => bytes)
  enough.cache.exchange(enough.first, enough.second)
  expect([enough.first.id, enough.first.length, enough.context.length(1)]).toEqual([1, 100, 100])
  enough.context[Symbol.dispose]()
  const short = cached((bytes) => bytes - 1)
  short.cache.exchange(short.first, short.second)
  expect([short.first.id, short.first.length, short.context.length(0)]).toEqual([0, 100, 100])
  short.context[Symbol.dispose]()
})
