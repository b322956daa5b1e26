import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { foldSeed } from "../../../../src/lib/fold-seed"
import { Batch } from "../../../../src/llama/batch"
import { Context } from "../../../../src/llama/context"
import { Library } from "../../../../src/llama/library"
import { Model } from "../../../../src/llama/model"
import { Sampler } from "../../../../src/llama/sampler"
import { locateLlama } from "../../../../src/native/llama-files"
import type { PreparedSampling } from "../../../../src/worker/text/prompt/prepared"
import { effectiveSampling, modelDefaults } from "../../../../src/worker/text/sampling/sampling"
import { SequenceSampler } from "../../../../src/worker/text/sampling/sequence-sampler"
import { writeTinyModel } from "../../../support/files/tiny-model"
import { EXACT_SETTINGS } from "../../../support/real/real-worker"
import { tempFolder } from "../../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let model: Model
let context: Context

beforeAll(async () => {
  const files = await locateLlama("/nonexistent")
  const library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
  const { path } = writeTinyModel(join(folder.path, "tiny.gguf"))
  model = Model.load(library, path, EXACT_SETTINGS) ?? refused()
  context =
    Context.create(model, {
      ...EXACT_SETTINGS,
      cells: 512,
      layout: "split",
      sequences: 1,
      batchTokens: 512,
      microBatchTokens: 512,
      outputs: 8,
      decodeThreads: 1,
      prefillThreads: 1,
    }) ?? refused()
})
afterAll(() => {
  context[Symbol.dispose]()
  model[Symbol.dispose]()
  folder[Symbol.dispose]()
  closeSync(devNull)
})

function refused(): never {
  throw new Error("llama.cpp refused the model")
}

const PROMPT = Array.from({ length: 40 }, (_, index) => 265 + ((index * 37) % 200))

/** The logits behind the prompt, as the model computes them every time. */
function logits(): Float32Array {
  context.clear(0)
  const batch = new Batch(512, 1)
  PROMPT.forEach((token, place) => batch.add(token, place, 0, place === PROMPT.length - 1))
  expect(context.decode(batch)).toBe("done")
  return context.logits(PROMPT.length - 1)
}

function sampler(parameters: Partial<PreparedSampling>, choice = 0): SequenceSampler {
  const defaults = effectiveSampling(
    modelDefaults(() => undefined),
    {},
    512,
  )
  const bias = { tokens: new Int32Array(0), values: new Float32Array(0) }
  return new SequenceSampler(model, { ...defaults, seed: 1, bias, ...parameters }, choice, 512)
}

/** The next token, as that sampler chooses it. */
function chosen(parameters: Partial<PreparedSampling>, ruledOut: readonly number[] = [], choice = 0): number {
  using made = sampler(parameters, choice)
  return made.choose(context, PROMPT.length - 1, PROMPT, ruledOut)
}

function best(values: Float32Array): number {
  return values.indexOf(Math.max(...values))
}

test("without heat the best token is taken, whatever the seed and the choice", () => {
  const expected = best(logits())
  expect(chosen({ temperature: 0 })).toBe(expected)
  logits()
  expect(chosen({ temperature: 0, seed: 2 }, [], 5)).toBe(expected)
})

test("of equal ones the first is taken, as llama.cpp does", () => {
  logits().fill(3)
  expect(chosen({ temperature: 0 })).toBe(0)
})

test("a token that came is held back by a penalty", () => {
  const values = logits()
  values[PROMPT[7]!] = 1000
  expect(chosen({ temperature: 0 })).toBe(PROMPT[7]!)
  const again = logits()
  again[PROMPT[7]!] = 1000
  expect(chosen({ temperature: 0, presencePenalty: 2000, repeatLastN: 64 })).not.toBe(PROMPT[7]!)
})

test("a token that is ruled out or biased away is not chosen", () => {
  const expected = best(logits())
  const bias = { tokens: Int32Array.of(expected), values: Float32Array.of(Number.NEGATIVE_INFINITY) }
  expect(chosen({ temperature: 0, bias })).not.toBe(expected)
  logits()
  expect(chosen({ temperature: 0 }, [expected])).not.toBe(expected)
})

test.each<Partial<PreparedSampling>>([
  {},
  { topK: 5, temperature: 1.5 },
  { topK: 400, topP: 1, minP: 0 },
  { topK: 1024, typicalP: 0.9, xtcProbability: 0.5 },
])("with %j the token is the one that llama.cpp chooses from the whole vocabulary", (parameters) => {
  const defaults = effectiveSampling(
    modelDefaults(() => undefined),
    {},
    512,
  )
  const seeds = Array.from({ length: 20 }, (_, index) => index + 1)
  const ofAll = seeds.map((seed) => {
    logits()
    using native = new Sampler(model, { ...defaults, ...parameters }, foldSeed(seed))
    return native.sample(context, PROMPT.length - 1)
  })
  const ofLikeliest = seeds.map((seed) => {
    logits()
    return chosen({ ...parameters, seed })
  })
  expect(ofLikeliest).toEqual(ofAll)
  expect(new Set(ofAll).size).toBeGreaterThan(1)
})

test("choices count the seed up", () => {
  const hot = { temperature: 2, topK: 0, minP: 0, topP: 1 }
  const draw = (seed: number, choice: number): number => {
    logits()
    return chosen({ ...hot, seed }, [], choice)
  }
  expect(draw(3, 4)).toBe(draw(7, 0))
  expect(new Set(Array.from({ length: 20 }, (_, choice) => draw(3, choice))).size).toBeGreaterThan(1)
})

describe.each([0, 0.8])("at temperature %p", (temperature) => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY])("no token is chosen where a logit is %p", (broken) => {
    logits()[300] = broken
    expect(() => chosen({ temperature })).toThrow("not a number (NaN or infinite)")
  })

  test("no token is chosen where a request leaves none", () => {
    logits()
    const tokens = Int32Array.from({ length: model.vocabulary.size }, (_, token) => token)
    const values = new Float32Array(tokens.length).fill(Number.NEGATIVE_INFINITY)
    expect(() => chosen({ temperature, bias: { tokens, values } })).toThrow(
      "logit_bias leaves no token to choose from",
    )
  })
})
