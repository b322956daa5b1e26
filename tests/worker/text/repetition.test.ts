import { dlopen, FFIType, ptr } from "bun:ffi"
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync } from "node:fs"
import { join } from "node:path"
import { Library } from "../../../src/llama/library"
import { Model } from "../../../src/llama/model"
import { locateLlama } from "../../../src/native/llama-files"
import { Dry } from "../../../src/worker/text/sampling/dry"
import { DryBreakers, findBreakers } from "../../../src/worker/text/sampling/dry-breakers"
import { Penalties } from "../../../src/worker/text/sampling/penalties"
import { mulberry } from "../../support/files/mulberry"
import { writeTinyModel } from "../../support/files/tiny-model"
import { EXACT_SETTINGS } from "../../support/real/real-worker"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let model: Model
let llama: ReturnType<typeof openLlama>

beforeAll(async () => {
  const files = await locateLlama("/nonexistent")
  const library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
  const { path } = writeTinyModel(join(folder.path, "tiny.gguf"))
  const loaded = Model.load(library, path, EXACT_SETTINGS)
  if (loaded === undefined) throw new Error("llama.cpp refused the model")
  model = loaded
  llama = openLlama(files.libraries.llama)
})
afterAll(() => {
  model[Symbol.dispose]()
  folder[Symbol.dispose]()
  closeSync(devNull)
})

/** llama.cpp's own samplers, to compare with. */
function openLlama(path: string) {
  return dlopen(path, {
    llama_sampler_init_penalties: { args: ["i32", "i32", "f32", "f32", "f32"], returns: "ptr" },
    llama_sampler_init_dry: {
      args: ["ptr", "f32", "f32", "i32", "i32", "ptr", FFIType.u64_fast],
      returns: "ptr",
    },
    llama_sampler_accept: { args: ["ptr", "i32"], returns: "void" },
    llama_sampler_apply: { args: ["ptr", "ptr"], returns: "void" },
    llama_sampler_free: { args: ["ptr"], returns: "void" },
  }).symbols
}

type Sampler = ReturnType<typeof llama.llama_sampler_init_penalties>

/** The logits as one of llama.cpp's samplers changes them that has seen `tokens`. */
function applied(sampler: Sampler, tokens: readonly number[], logits: Float32Array): Float32Array {
  for (const token of tokens) llama.llama_sampler_accept(sampler, token)
  const items = new DataView(new ArrayBuffer(12 * logits.length))
  logits.forEach((logit, id) => {
    items.setInt32(12 * id, id, true)
    items.setFloat32(12 * id + 4, logit, true)
  })
  const list = new DataView(new ArrayBuffer(32))
  list.setBigUint64(0, BigInt(ptr(items.buffer)), true)
  list.setBigUint64(8, BigInt(logits.length), true)
  list.setBigInt64(16, -1n, true)
  llama.llama_sampler_apply(sampler, ptr(list.buffer))
  llama.llama_sampler_free(sampler)
  return Float32Array.from(logits, (_, id) => items.getFloat32(12 * id + 4, true))
}

/** Whole numbers from 0 to `below`, exclusive, the same for the same seed. */
function dice(seed: number): (below: number) => number {
  const random = mulberry(seed)
  return (below) => Math.floor(random() * below)
}

function randomLogits(roll: (below: number) => number): Float32Array {
  return Float32Array.from({ length: model.vocabulary.size }, () => (roll(2000) - 1000) / 50)
}

/** Tokens of the words that a small child knows: they come again and again. */
function babble(roll: (below: number) => number, length: number): number[] {
  const words = ["the cat ", "the hat ", "on the mat", "\n", "a", "then: ", "e", "th"]
  let text = ""
  while (text.length < 3 * length) text += words[roll(words.length)]
  const plain = { addSpecial: false, parseSpecial: false }
  return [...model.vocabulary.tokenize(text, plain)].slice(0, length)
}

function expectEqual(ours: Float32Array, theirs: Float32Array): void {
  const differing = [...ours.keys()].filter((id) => !(Math.abs(ours[id]! - theirs[id]!) <= 1e-5))
  expect(differing.map((id) => [id, ours[id], theirs[id]])).toEqual([])
}

describe("penalties", () => {
  test("are those of llama.cpp, for any parameters and any lookback", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const roll = dice(seed)
      const repeatLastN = [-1, 1, 7, 64, 1000][roll(5)]!
      const parameters = {
        repeatLastN,
        repeatPenalty: [1, 1.1, 0.7, 5][roll(4)]!,
        presencePenalty: [0, 0.4, -1][roll(3)]!,
        frequencyPenalty: [0, 0.3, 2][roll(3)]!,
      }
      const ours = Penalties.of(parameters, 256)
      const tokens: number[] = []
      // As it happens: the prompt at once, then token after token.
      for (const length of [roll(300), 1, 1, 3]) {
        tokens.push(...babble(roll, length))
        const logits = randomLogits(roll)
        const sampler = llama.llama_sampler_init_penalties(
          model.vocabulary.size,
          repeatLastN < 0 ? 256 : repeatLastN,
          parameters.repeatPenalty,
          parameters.frequencyPenalty,
          parameters.presencePenalty,
        )
        const theirs = applied(sampler, tokens, logits)
        ours?.apply(logits, tokens)
        expectEqual(logits, theirs)
      }
    }
  })

  test("that change nothing are none", () => {
    const off = { repeatPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, repeatLastN: 64 }
    expect(Penalties.of(off, 100)).toBeUndefined()
    expect(Penalties.of({ ...off, repeatPenalty: 2, repeatLastN: 0 }, 100)).toBeUndefined()
  })

  test("that look back for ever keep no more than came", () => {
    const tokens = [1, 1, 2]
    const penalties = Penalties.of(
      { repeatPenalty: 1, presencePenalty: 1, frequencyPenalty: 0, repeatLastN: 2_000_000_000 },
      100,
    )
    const logits = Float32Array.of(0, 0, 0, 0)
    penalties?.apply(logits, tokens)
    expect([...logits]).toEqual([0, -1, -1, 0])
  })
})

describe("DRY", () => {
  const breakerSets: readonly (readonly string[])[] = [
    [],
    ["\n", ":", '"', "*"],
    ["the cat", "hat", "e"],
    ["e th", "n: ", "mat\nthe", "a"],
    ["at the cat on the hat on the mat the cat on the hat", "tt", "hh", "€uro", "ä"],
    ["e", "e", "ee", "eea", "e the hat on the mat e the hat on the mat"],
    ["€€€€€€€€€€€€€€€€€€€€", "on th"],
  ]

  test("is that of llama.cpp, for any parameters, breakers and lookback", () => {
    let changed = 0
    for (let seed = 1; seed <= 150; seed++) {
      const roll = dice(seed)
      const breakers = breakerSets[roll(breakerSets.length)]!
      const parameters = {
        dryMultiplier: [0.8, 1, 5][roll(3)]!,
        dryBase: [1, 1.1, 1.75, 3][roll(4)]!,
        dryAllowedLength: [0, 1, 2, 5][roll(4)]!,
        dryPenaltyLastN: [-1, 5, 50, 1000][roll(4)]!,
      }
      const ours = Dry.of(parameters, new DryBreakers(findBreakers(breakers, model.vocabulary)), 256)
      const tokens: number[] = []
      for (const length of [1 + roll(300), 1, 1, 3]) {
        tokens.push(...babble(roll, length))
        const logits = randomLogits(roll)
        const before = logits.slice()
        const texts = breakers.map((breaker) => Buffer.from(`${breaker}\0`))
        const pointers = BigUint64Array.from(texts, (text) => BigInt(ptr(text)))
        const sampler = llama.llama_sampler_init_dry(
          model.vocabulary.share().address,
          parameters.dryMultiplier,
          parameters.dryBase,
          parameters.dryAllowedLength,
          parameters.dryPenaltyLastN < 0 ? 256 : parameters.dryPenaltyLastN,
          pointers.length === 0 ? null : pointers,
          pointers.length,
        )
        const theirs = applied(sampler, tokens, logits)
        ours?.apply(logits, tokens)
        expectEqual(logits, theirs)
        if (logits.some((logit, id) => logit !== before[id])) changed++
      }
    }
    // Most of the cases are about something.
    expect(changed).toBeGreaterThan(200)
  })

  test("that changes nothing is none", () => {
    const on = { dryMultiplier: 1, dryBase: 1.75, dryAllowedLength: 2, dryPenaltyLastN: -1 }
    const none = new DryBreakers(undefined)
    expect(Dry.of({ ...on, dryMultiplier: 0 }, none, 100)).toBeUndefined()
    expect(Dry.of({ ...on, dryPenaltyLastN: 0 }, none, 100)).toBeUndefined()
    expect(Dry.of(on, none, 100)).toBeDefined()
  })
})

test("no more breakers count than a request may have", () => {
  const letters = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"]
  const many = findBreakers([...letters, "~"], model.vocabulary)
  const breakers = new DryBreakers(many)
  const id = (text: string) => model.vocabulary.tokenize(text, { addSpecial: false, parseSpecial: false })[0]!
  expect([breakers.isBreaker(id("_")), breakers.isBreaker(id("~"))]).toEqual([true, false])
})
