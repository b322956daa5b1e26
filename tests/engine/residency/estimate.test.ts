import { expect, test } from "bun:test"
import type { AttachedPart } from "../../../src/domain/attached-parts"
import type { ImageModelDetails, TextModelDetails, TtsDetails } from "../../../src/domain/model"
import { cacheMemory } from "../../../src/engine/residency/cache-memory"
import { estimateNeed } from "../../../src/engine/residency/estimate"
import { detailsOf, SETTINGS } from "../../support/test-engine"

const GIB = 1024 ** 3

/** Figures of Llama 3.1 8B in Q4_K_M: 32 layers, 8 of 32 heads with keys and values of 128. */
const LLAMA: TextModelDetails = {
  ...detailsOf("llama", {}),
  architecture: "llama",
  sizeBytes: 4.9e9,
  contextLength: 131_072,
  embeddingLength: 4096,
  layers: 32,
  heads: 32,
  metadata: {
    "llama.attention.head_count_kv": 8,
    "llama.feed_forward_length": 14_336,
    "llama.vocab_size": 128_256,
  },
}

const MANY = { ...SETTINGS, contextLength: 8192, slots: 4 }

test("the first cache, in two bytes for each key and value, and up to where it may grow", () => {
  const need = estimateNeed(LLAMA, MANY, { freeBytes: 100 * GIB })
  const bytesPerCell = 32 * 2 * 8 * 128 * 2
  const kv = { layout: "split", cells: 4096, mostCells: 32_768, contextLength: 8192, bytesPerCell }
  expect(need).toMatchObject({ layers: 33, kv })
  expect(need.cacheBytes).toBe(4096 * bytesPerCell)
  expect(need.layerBytes * need.layers).toBeCloseTo(4.9e9, 0)
})

test("attached parts count where a worker loads them", () => {
  const part = { name: "p.gguf", path: "/p.gguf", sizeBytes: 3e8 }
  const bytesWith = (...parts: readonly AttachedPart[]) => {
    const own = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const need = estimateNeed({ ...LLAMA, sizeBytes: 4.9e9 + own, parts }, MANY, { freeBytes: 100 * GIB })
    return Math.round(need.layerBytes * need.layers)
  }
  expect(bytesWith()).toBe(4.9e9)
  expect(bytesWith({ ...part, role: "adapter" })).toBe(5.2e9)
  expect(bytesWith({ ...part, role: "adapter" }, { ...part, role: "adapter", scale: 0.5 })).toBe(5.5e9)
  expect(bytesWith({ ...part, role: "adapter", scale: 0 })).toBe(4.9e9)
  expect(bytesWith({ ...part, role: "projector" }, { ...part, role: "draft" })).toBe(5.5e9)
})

test("the buffers in which a projector encodes the largest picture count besides", () => {
  const encoder = { feedForwardLength: 3072, heads: 12, patchesPerCell: 4 }
  const projector = {
    families: ["qwen2vl_merger"],
    sees: true,
    hears: false,
    parameterCount: 93e6,
    embeddingLength: 768,
    dimensions: 4096,
    encoder,
  }
  const bytesWith = (more: Partial<typeof LLAMA>, settings = MANY) =>
    estimateNeed({ ...LLAMA, ...more }, settings, { freeBytes: 100 * GIB }).computeBytes
  const patches = 4 * 1024
  const states = 4 * patches * (5 * 768 + 2 * 3072)
  expect(bytesWith({ projector }) - bytesWith({})).toBe(states)
  const off = { ...MANY, flashAttention: "off" } as const
  expect(bytesWith({ projector }, off) - bytesWith({}, off)).toBe(states + 4 * patches ** 2 * 12)
  // What every picture has cells for is known where all are resized to one size.
  const fixed = { ...projector, encoder: { ...encoder, cells: 256 } }
  expect(bytesWith({ projector: fixed }) - bytesWith({})).toBe(states / 4)
})

test("a draft model has a cache of its own, which grows with the model's", () => {
  const draft = { role: "draft", name: "d.gguf", path: "/d.gguf", sizeBytes: 4.9e9 / 16 } as const
  const details = { ...LLAMA, sizeBytes: 4.9e9 + draft.sizeBytes, parts: [draft] }
  const [bare, drafted] = [{ ...LLAMA, sizeBytes: 4.9e9 }, details].map(
    (each) => estimateNeed(each, MANY, { freeBytes: 100 * GIB }).kv?.bytesPerCell ?? 0,
  )
  expect(drafted).toBe(1.25 * bare!)
})

test("an adapter leaves less for conversations", () => {
  const adapter = { role: "adapter", name: "a.gguf", path: "/a.gguf", sizeBytes: 1e9 } as const
  const [bare, adapted] = [LLAMA, { ...LLAMA, sizeBytes: 5.9e9, parts: [adapter] }].map(
    (details) => cacheMemory(details, MANY, { gpus: [], systemBytes: 8e9 }).systemBytes,
  )
  expect([bare, adapted]).toEqual([3.1e9, 2.1e9])
})

test("a type of fewer bits makes the cache smaller", () => {
  const f16 = estimateNeed(LLAMA, MANY, { freeBytes: 100 * GIB })
  const q8 = estimateNeed(LLAMA, { ...MANY, kvTypeK: "q8_0", kvTypeV: "q8_0" }, { freeBytes: 100 * GIB })
  expect(q8.cacheBytes / f16.cacheBytes).toBeCloseTo(34 / 64, 5)
})

test("conversations are as long as trained where one fits beside the worker's own memory, otherwise shorter", () => {
  const length = (freeBytes: number) => {
    const { kv } = estimateNeed(LLAMA, { ...MANY, contextLength: null }, { freeBytes })
    return [kv?.contextLength, kv?.contextLimitedBy]
  }
  expect(length(100 * GIB)).toEqual([131_072, undefined])
  const { processBytes, kv } = estimateNeed(LLAMA, MANY, { freeBytes: 0 })
  const own = processBytes + (kv?.computeBytes ?? 0)
  // It grows from a cache of half of that length, of which there is a copy meanwhile.
  expect(length(own + 10_000 * (1.5 * 131_072 + 2048))).toEqual([9984, "memory"])
  expect(length(0)).toEqual([512, "memory"])
})

test("widths of keys and values that the file names count, not those of the heads", () => {
  const wide = { ...LLAMA.metadata, "llama.attention.key_length": 256, "llama.attention.value_length": 256 }
  const need = estimateNeed({ ...LLAMA, metadata: wide }, MANY, { freeBytes: 100 * GIB })
  expect(need.cacheBytes).toBe(2 * 4096 * 32 * 2 * 8 * 128 * 2)
})

test("layers with a sliding window have a cache of the window's size", () => {
  const gemma: TextModelDetails = {
    ...LLAMA,
    architecture: "gemma3",
    layers: 12,
    metadata: { "gemma3.attention.head_count_kv": 8, "gemma3.attention.sliding_window": 1024 },
  }
  const perLayer = 2 * 8 * 128 * 2
  const need = estimateNeed(gemma, { ...MANY, kvCells: 32_768 }, { freeBytes: 100 * GIB })
  expect(need.cacheBytes).toBeCloseTo(perLayer * (2 * 32_768 + 10 * 4 * (1024 + 512)), 0)
})

test("recurrent layers have a state for each slot, whatever the context", () => {
  const mamba: TextModelDetails = {
    ...LLAMA,
    architecture: "mamba",
    heads: 0,
    metadata: { "mamba.ssm.state_size": 16, "mamba.ssm.inner_size": 8192, "mamba.ssm.conv_kernel": 4 },
  }
  expect(estimateNeed(mamba, MANY, { freeBytes: 100 * GIB }).cacheBytes).toBe(4 * 32 * 4 * 8192 * 19)
})

test("a larger vocabulary needs larger buffers", () => {
  const small = estimateNeed(
    { ...LLAMA, metadata: { ...LLAMA.metadata, "llama.vocab_size": 32_000 } },
    MANY,
    { freeBytes: GIB },
  )
  const large = estimateNeed(LLAMA, MANY, { freeBytes: GIB })
  expect(large.computeBytes - small.computeBytes).toBe(4 * 2 * 64 * (128_256 - 32_000))
})

test("without flash attention the scores of all heads need buffers, for each cell of a sequence", () => {
  const auto = estimateNeed(LLAMA, MANY, { freeBytes: 100 * GIB })
  const off = estimateNeed(LLAMA, { ...MANY, flashAttention: "off" }, { freeBytes: 100 * GIB })
  expect(off.computeBytes - auto.computeBytes).toBe(1024 * 512 * 33 * 4)
  expect(off.kv?.computeBytesPerCell).toBe(512 * 33 * 4)
})

/** What was measured after loads of two files, without the pages of the program. */
test.each([
  ["SmolLM2 135M in Q4_1", 30, 576, 9, 3, 1536, 49_152, 98.4e6, 356e6],
  ["Qwen2.5 0.5B in Q4_K_M", 24, 896, 14, 2, 4864, 151_936, 491.4e6, 782e6],
])("%s is estimated to take what it takes, and not much more", (_, ...figures) => {
  const [layers, embeddingLength, heads, kvHeads, width, vocabulary, sizeBytes, measured] = figures
  const small: TextModelDetails = {
    ...LLAMA,
    ...{ layers, embeddingLength, heads, sizeBytes, contextLength: 8192 },
    metadata: {
      "llama.attention.head_count_kv": kvHeads,
      "llama.feed_forward_length": width,
      "tokenizer.ggml.tokens": `array of ${vocabulary} string`,
    },
  }
  const need = estimateNeed(small, { ...MANY, slots: 16 }, { freeBytes: 100 * GIB })
  const bytes = need.layers * need.layerBytes + need.cacheBytes + need.computeBytes + need.processBytes
  expect(bytes).toBeGreaterThanOrEqual(measured)
  expect(bytes).toBeLessThan(1.1 * measured)
})

const FILES = {
  name: "m",
  path: "/m",
  id: "1",
  modifiedAt: new Date(0),
  license: undefined,
  capabilities: [],
  files: [],
}

const MIB = 1024 ** 2

const PAINTER: ImageModelDetails = {
  ...FILES,
  kind: "image",
  sizeBytes: 2000 * MIB,
  architecture: "sd1",
  parameterCount: 1e9,
  quantization: "F16",
  components: [],
}

test("a painter is one piece, with a buffer as large as its pictures while it draws", () => {
  expect(estimateNeed(PAINTER, MANY, { freeBytes: GIB })).toMatchObject({
    layers: 1,
    layerBytes: 2000 * MIB,
    cacheBytes: 0,
    computeBytes: 1664 * MIB,
    transientBytes: 1664 * MIB,
  })
  expect(estimateNeed({ ...PAINTER, architecture: "sdxl" }, MANY, { freeBytes: GIB }).computeBytes).toBe(
    4 * 1664 * MIB,
  )
})

test("a voice takes its files, and as much again with the longest piece of text once it speaks, beside the engine", () => {
  const joe: TtsDetails = {
    ...FILES,
    kind: "tts",
    sizeBytes: 63e6,
    family: "piper",
    sampleRate: 22_050,
    speakers: [undefined],
    languages: ["en-us"],
  }
  const need = estimateNeed(joe, MANY, { freeBytes: GIB })
  expect(need).toMatchObject({ layers: 1, cacheBytes: 0, transientBytes: need.computeBytes })
  const bytes = need.processBytes + need.layerBytes + need.computeBytes
  expect(bytes).toBeGreaterThan(540e6)
  expect(bytes).toBeLessThan(640e6)
})
