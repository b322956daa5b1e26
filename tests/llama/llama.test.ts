import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { SamplingParameters } from "../../src/domain/chat"
import { NativeLibraryError } from "../../src/errors/engine"
import { Batch } from "../../src/llama/batch"
import { Context, type ContextOptions } from "../../src/llama/context"
import { listDevices } from "../../src/llama/devices"
import { Library } from "../../src/llama/library"
import { Model } from "../../src/llama/model"
import { Sampler } from "../../src/llama/sampler"
import { Vocabulary } from "../../src/llama/vocabulary"
import { type LlamaFiles, locateLlama } from "../../src/native/llama-files"
import { modelDefaults } from "../../src/worker/text/sampling/sampling"
import { type TinyModelOptions, writeSplitTinyModel, writeTinyModel } from "../support/files/tiny-model"
import { EXACT_SETTINGS } from "../support/real/real-worker"
import { tempFolder } from "../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const folder = tempFolder()
const devNull = openSync("/dev/null", "w")
let files: LlamaFiles
let library: Library
let model: Model

beforeAll(async () => {
  files = await locateLlama("/nonexistent")
  library = Library.open(files, { useGpu: false, logDescriptor: devNull, logLevel: 4 })
  model = load("tiny.gguf")
})
afterAll(() => {
  model[Symbol.dispose]()
  folder[Symbol.dispose]()
  closeSync(devNull)
})

function load(name: string, options: TinyModelOptions = {}): Model {
  const { path } = writeTinyModel(join(folder.path, name), options)
  const loaded = Model.load(library, path, EXACT_SETTINGS)
  if (loaded === undefined) throw new Error("llama.cpp refused the model")
  return loaded
}

const CONTEXT: ContextOptions = {
  ...EXACT_SETTINGS,
  cells: 512,
  layout: "split",
  sequences: 2,
  batchTokens: 512,
  microBatchTokens: 512,
  outputs: 8,
  decodeThreads: 1,
  prefillThreads: 1,
}

function makeContext(options: Partial<ContextOptions> = {}, of = model): Context {
  const context = Context.create(of, { ...CONTEXT, ...options })
  if (context === undefined) throw new Error("llama.cpp refused the context")
  return context
}

/** Puts `tokens` behind `start` into a sequence; the logits of the last one. */
function feed(context: Context, tokens: readonly number[], start = 0, sequence = 0): Float32Array {
  const batch = new Batch(512, 2)
  const last = tokens.length - 1
  const indices = tokens.map((token, place) => batch.add(token, start + place, sequence, place === last))
  expect(context.decode(batch)).toBe("done")
  return context.logits(indices[last]!).slice()
}

const PROMPT = Array.from({ length: 40 }, (_, index) => 265 + ((index * 37) % 200))

describe("the library", () => {
  test("is a version that this build was written for, and has a CPU", () => {
    expect(library.version).not.toBe("unknown")
    const [cpu] = listDevices(library)
    expect(cpu).toMatchObject({ name: "CPU", kind: "cpu" })
    expect(cpu?.totalBytes).toBeGreaterThan(0)
    expect(cpu?.freeBytes).toBeLessThanOrEqual(cpu?.totalBytes ?? 0)
  })

  test("says which file it could not load", () => {
    const libraries = { ...files.libraries, llama: "/nonexistent/libllama.so" }
    const open = () => Library.share({ ...files, libraries })
    expect(open).toThrow(NativeLibraryError)
    expect(open).toThrow("/nonexistent/libllama.so")
  })

  test("says why a shim cannot be compiled", () => {
    const shim = join(folder.path, "broken.c")
    writeFileSync(shim, "int xllm_open( {")
    expect(() => Library.share({ ...files, shim })).toThrow(NativeLibraryError)
  })
})

describe("rotary positions", () => {
  /** The logits of the last token of {@link PROMPT}. */
  function logitsOf(options: Partial<ContextOptions>) {
    using context = makeContext(options)
    return feed(context, PROMPT)
  }

  test("are scaled by what is set", () => {
    const usual = logitsOf({})
    const halved = logitsOf({ ropeFreqScale: 0.5 })
    expect(farthest(halved, usual)).toBeGreaterThan(0.01)
    expect(farthest(logitsOf({ ropeFreqScale: 0.5, ropeScaling: "linear" }), halved)).toBe(0)
    expect(farthest(logitsOf({ ropeFreqScale: 0.25 }), halved)).toBeGreaterThan(0.01)
    expect(farthest(logitsOf({ ropeFreqScale: 1, ropeScaling: "linear" }), usual)).toBe(0)
  })

  test("are those of another base where one is set", () => {
    expect(farthest(logitsOf({ ropeFreqBase: 10_000 }), logitsOf({}))).toBe(0)
    expect(farthest(logitsOf({ ropeFreqBase: 500_000 }), logitsOf({}))).toBeGreaterThan(0.01)
  })

  test("are as trained with YaRN of factor 1, and others with any other factor", () => {
    const usual = logitsOf({})
    expect(farthest(logitsOf({ ropeScaling: "yarn", ropeFreqScale: 1 }), usual)).toBeLessThan(1e-3)
    const yarn = logitsOf({ ropeScaling: "yarn", ropeFreqScale: 0.25 })
    expect(farthest(yarn, usual)).toBeGreaterThan(0.01)
    expect(farthest(yarn, logitsOf({ ropeScaling: "linear", ropeFreqScale: 0.25 }))).toBeGreaterThan(0.01)
    const shorter = logitsOf({ ropeScaling: "yarn", ropeFreqScale: 0.25, yarnOriginalContext: 64 })
    expect(farthest(shorter, yarn)).toBeGreaterThan(0.01)
  })

  test("are as trained without scaling, whatever the scale", () => {
    expect(farthest(logitsOf({ ropeScaling: "none", ropeFreqScale: 0.25 }), logitsOf({}))).toBe(0)
  })
})

/** The largest difference between two of the same places. */
function farthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - (b[index] ?? Number.NaN))), 0)
}

describe("a model", () => {
  test("tells what its file says", () => {
    expect(model).toMatchObject({
      layers: 2,
      embeddingLength: 64,
      trainedContextLength: 4096,
      slidingWindow: 0,
      recurrent: false,
      generatesText: true,
    })
    expect(model.metadata("general.name")).toBe("tiny")
    expect(model.metadata("no.such.key")).toBeUndefined()
    expect(model.chatTemplate).toContain("<|im_start|>")
  })

  test("tells what its memory cannot do", () => {
    using swa = load("swa.gguf", { architecture: "swa", slidingWindow: 16 })
    expect(swa).toMatchObject({ slidingWindow: 16, recurrent: false })
    using mamba = load("mamba.gguf", { architecture: "mamba" })
    expect(mamba).toMatchObject({ recurrent: true, generatesText: true })
  })

  test("has no chat template where its file has none", () => {
    using bare = load("bare.gguf", { chatTemplate: null })
    expect(bare.chatTemplate).toBeUndefined()
  })

  test.each([
    ["cut short", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ["empty", () => Buffer.alloc(0)],
    ["something else", () => Buffer.from("not a model")],
  ])("whose file is %s is refused, and the process lives", (name, damage) => {
    const { path } = writeTinyModel(join(folder.path, "whole.gguf"))
    const damaged = join(folder.path, `${name}.gguf`)
    writeFileSync(damaged, damage(readFileSync(path)))
    expect(Model.load(library, damaged, EXACT_SETTINGS)).toBeUndefined()
  })

  test("of several files computes what the whole one does, whatever they are called", () => {
    const paths = ["FIRST.GGUF", "second part.gguf", "third"].map((name) => join(folder.path, name))
    writeSplitTinyModel(paths)
    const [first = "", ...others] = paths
    using whole = makeContext()
    using parts = Model.load(library, first, EXACT_SETTINGS, others)
    if (parts === undefined) throw new Error("llama.cpp refused the model")
    using context = makeContext({}, parts)
    expect(feed(context, PROMPT)).toEqual(feed(whole, PROMPT))
    expect(Model.load(library, first, EXACT_SETTINGS, others.slice(1))).toBeUndefined()
  })

  test("cannot be used any more once it is disposed", () => {
    const gone = load("gone.gguf")
    gone[Symbol.dispose]()
    gone[Symbol.dispose]()
    expect(() => gone.metadata("general.name")).toThrow(NativeLibraryError)
  })
})

describe("a vocabulary", () => {
  const plain = { addSpecial: false, parseSpecial: false }
  const special = { addSpecial: false, parseSpecial: true }

  test("reads the text of a control token as that token only where that is wanted", () => {
    const { vocabulary } = model
    expect([...vocabulary.tokenize("<|im_end|>", special)]).toEqual([2])
    const ids = [...vocabulary.tokenize("<|im_end|>", plain)]
    expect(ids.length).toBeGreaterThan(1)
    expect(ids.some((id) => vocabulary.isControl(id))).toBe(false)
  })

  test("gives back the bytes that a text was made of", () => {
    const { vocabulary } = model
    for (const text of ["the cat", "Grüße, 世界! 🌲", "\0\x01\u{10ffff}", "a".repeat(100_000)]) {
      const ids = vocabulary.tokenize(text, plain)
      const bytes = Buffer.concat(Array.from(ids, (id) => vocabulary.bytes(id)))
      expect(bytes.toString() === text).toBe(true)
    }
    expect(vocabulary.bytes(-1).length + vocabulary.bytes(vocabulary.size).length).toBe(0)
  })

  test("knows its control tokens and those that end a generation", () => {
    const { vocabulary } = model
    expect(vocabulary.specialTokens()).toEqual(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    expect(vocabulary.endTokens()).toContain(2)
    expect(vocabulary.endTokens().every((id) => vocabulary.endsGeneration(id))).toBe(true)
    expect(vocabulary.endsGeneration(300)).toBe(false)
  })

  test("has no token longer than it says", () => {
    const { vocabulary } = model
    expect(vocabulary.keepsEveryByte()).toBe(true)
    expect(vocabulary.longestTokenBytes()).toBe("<|endoftext|>".length)
  })

  test("is the same for another thread", () => {
    const other = Vocabulary.fromShare(Library.share(files), model.vocabulary.share())
    expect([...other.tokenize("the cat<|im_end|>", special)]).toEqual([
      ...model.vocabulary.tokenize("the cat<|im_end|>", special),
    ])
  })

  test("adds the first token where the model wants one", () => {
    using bos = load("bos.gguf", { addBos: true, fim: true })
    expect(bos.vocabulary.addsBos).toBe(true)
    expect(bos.vocabulary.tokenize("a", { addSpecial: true, parseSpecial: false })[0]).toBe(0)
    expect(bos.vocabulary.fillInTheMiddle).toEqual({ prefix: 3, suffix: 4, middle: 5 })
    expect(model.vocabulary.fillInTheMiddle).toBeUndefined()
  })
})

describe("a context", () => {
  test("predicts the same after a part of a sequence was forgotten and computed again", () => {
    using context = makeContext()
    const logits = feed(context, PROMPT)
    expect(context.truncate(0, 25)).toBe(true)
    expect([context.length(0), context.firstPosition(0)]).toEqual([25, 0])
    expect(largestDifference(feed(context, PROMPT.slice(25), 25), logits)).toBeLessThan(1e-4)
  })

  test("restores in one sequence what was saved of another", () => {
    using context = makeContext()
    feed(context, PROMPT)
    const expected = feed(context, [300], PROMPT.length)
    context.truncate(0, PROMPT.length)
    expect(context.restore(1, context.save(0))).toBe(true)
    expect(context.length(1)).toBe(PROMPT.length)
    expect(largestDifference(feed(context, [300], PROMPT.length, 1), expected)).toBeLessThan(1e-5)
  })

  test("refuses a state that is not one, and leaves the sequence empty", () => {
    using context = makeContext()
    feed(context, PROMPT)
    const state = context.save(0)
    expect(context.restore(1, state.subarray(0, state.length - 50))).toBe(false)
    expect(context.length(1)).toBe(0)
  })

  test("shares cells in one pool, without changing what they say", () => {
    using context = makeContext({ layout: "unified" })
    feed(context, PROMPT)
    const expected = feed(context, [300], PROMPT.length)
    context.shareCells(0, 1, PROMPT.length)
    context.clear(0)
    expect([context.length(0), context.length(1)]).toEqual([0, PROMPT.length])
    expect(largestDifference(feed(context, [300], PROMPT.length, 1), expected)).toBeLessThan(1e-5)
  })

  test("says where there is no room, and has computed nothing then", () => {
    using context = makeContext({ layout: "unified", cells: 256 })
    const filler = Array.from({ length: 250 }, () => 300)
    feed(context, filler)
    const batch = new Batch(512, 2)
    for (let place = 0; place < 20; place++) batch.add(301, place, 1, place === 19)
    expect(context.decode(batch)).toBe("no-room")
    expect([context.length(0), context.length(1)]).toEqual([250, 0])
    context.clear(0)
    expect(context.decode(batch)).toBe("done")
  })

  test("says that it failed where positions do not follow each other", () => {
    using context = makeContext()
    feed(context, PROMPT)
    const batch = new Batch(512, 2)
    batch.add(300, 3, 0, true)
    expect(context.decode(batch)).toBe("failed")
  })

  test("of a recurrent model cannot forget a part", () => {
    using mamba = load("mamba2.gguf", { architecture: "mamba" })
    using context = makeContext({}, mamba)
    feed(context, PROMPT)
    expect(context.truncate(0, 20)).toBe(false)
  })

  test("has no logits of a token that did not ask for them", () => {
    using context = makeContext()
    feed(context, PROMPT)
    expect(() => context.logits(0)).toThrow(NativeLibraryError)
  })

  test("computes the same with threads of its own", () => {
    using context = makeContext()
    const logits = feed(context, PROMPT)
    using threaded = makeContext()
    threaded.createThreads(2)
    threaded.setThreads(2, 2)
    expect(largestDifference(feed(threaded, PROMPT), logits)).toBeLessThan(1e-4)
    threaded.clear(0)
    threaded.setPolling(false)
    expect(largestDifference(feed(threaded, PROMPT), logits)).toBeLessThan(1e-4)
  })

  test("cannot be used any more once it is disposed", () => {
    const gone = makeContext()
    gone[Symbol.dispose]()
    gone[Symbol.dispose]()
    expect(() => gone.decode(new Batch(1, 1))).toThrow(NativeLibraryError)
  })
})

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length)
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - (b[index] ?? 0))), 0)
}

describe("a sampler", () => {
  const defaults = modelDefaults(() => undefined)

  function draw(parameters: Partial<SamplingParameters>, seed: number, count: number): number[] {
    using context = makeContext()
    using sampler = new Sampler(model, { ...defaults, ...parameters }, seed)
    const drawn: number[] = []
    for (let position = 0; position < count; position++) {
      feed(context, [PROMPT[position]!], position)
      drawn.push(sampler.sample(context, 0))
    }
    return drawn
  }

  test("draws the same for the same seed, another for another", () => {
    const hot = { temperature: 2, topK: 0, minP: 0 }
    expect(draw(hot, 7, 20)).toEqual(draw(hot, 7, 20))
    expect(draw(hot, 7, 20)).not.toEqual(draw(hot, 8, 20))
  })

  test("applies the samplers in the order given", () => {
    const wide = { temperature: 1000, topK: 0, minP: 0, topP: 0.5 }
    const kinds = (parameters: Partial<SamplingParameters>) => new Set(draw(parameters, 7, 40)).size
    // Heated before they are cut, half of all tokens stay.
    expect(kinds({ ...wide, order: ["temperature", "topP"] })).toBeGreaterThan(kinds(wide))
    expect(draw({ ...wide, order: ["topK", "topP", "infill"] }, 7, 5)).toHaveLength(5)
  })

  test("draws the same for the one seed that means another to llama.cpp", () => {
    const hot = { temperature: 2, topK: 0, minP: 0 }
    expect(draw(hot, 2 ** 32 - 1, 20)).toEqual(draw(hot, 2 ** 32 - 1, 20))
  })

  test("cannot be used any more once it is disposed", () => {
    using context = makeContext()
    feed(context, PROMPT)
    const gone = new Sampler(model, defaults, 1)
    gone[Symbol.dispose]()
    gone[Symbol.dispose]()
    expect(() => gone.sample(context, PROMPT.length - 1)).toThrow(NativeLibraryError)
  })
})
