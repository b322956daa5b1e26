import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describeGguf, type GgufDescription, TOKENS_KEY } from "../../../src/formats/gguf/metadata"
import { readGgufHeader } from "../../../src/formats/gguf/read"
import { type GgufEntry, type GgufTensor, writeGguf } from "../../support/files/gguf-writer"
import { CHATML, type TinyModelOptions, writeTinyModel } from "../../support/files/tiny-model"

let folder = ""
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "xllm-metadata-"))
})
afterAll(() => rmSync(folder, { recursive: true }))

function describeFile(path: string): GgufDescription {
  const header = readGgufHeader(path, { keepArrays: [TOKENS_KEY] })
  return describeGguf(header, header.tensors)
}

function describeTiny(options: TinyModelOptions): GgufDescription {
  const path = join(folder, "tiny.gguf")
  writeTinyModel(path, options)
  return describeFile(path)
}

function describeEntries(
  entries: readonly GgufEntry[],
  tensors: readonly GgufTensor[] = [],
): GgufDescription {
  const path = join(folder, "entries.gguf")
  writeGguf(path, entries, tensors)
  return describeFile(path)
}

test("a model is described by its own keys and tensors", () => {
  const layer = 64 * 64 * 2 + 64 * 32 * 2 + 64 * 128 * 3 + 64 * 2
  expect(describeTiny({ layers: 3 })).toMatchObject({
    architecture: "llama",
    parameterCount: 2 * 64 * 512 + 64 + 3 * layer,
    quantization: "F32",
    contextLength: 4096,
    embeddingLength: 64,
    layers: 3,
    heads: 4,
    license: "mit",
    chatTemplate: CHATML,
    capabilities: ["completion", "chat"],
  })
})

test("the texts of the tokens that begin and end are described, if there are such tokens", () => {
  const ids: readonly GgufEntry[] = [
    ["tokenizer.ggml.tokens", "strings", ["a", "<s>", "</s>"]],
    ["tokenizer.ggml.bos_token_id", "u32", 1],
    ["tokenizer.ggml.eos_token_id", "u32", 9],
  ]
  const described = describeEntries(ids)
  expect(described.bosToken).toBe("<s>")
  expect(described.eosToken).toBeUndefined()
  expect(describeEntries([]).bosToken).toBeUndefined()
})

test("a model without a chat template cannot chat", () => {
  const { capabilities, chatTemplate } = describeTiny({ chatTemplate: null })
  expect(capabilities).toEqual(["completion"])
  expect(chatTemplate).toBeUndefined()
})

test("a model fills gaps where a key or the text of a token says so", () => {
  expect(describeTiny({ fim: true }).capabilities).toEqual(["completion", "chat", "insert"])
  const byText = describeEntries([["tokenizer.ggml.tokens", "strings", ["a", "<fim_prefix>"]]])
  expect(byText.capabilities).toEqual(["completion", "insert"])
})

test("a model that reads in both directions makes embeddings", () => {
  const { capabilities } = describeEntries([
    ["general.architecture", "string", "bert"],
    ["bert.attention.causal", "bool", false],
  ])
  expect(capabilities).toEqual(["embedding"])
})

test("a model that says how it pools makes embeddings, or ranks", () => {
  const pooled = (type: number) =>
    describeEntries([
      ["general.architecture", "string", "qwen3"],
      ["qwen3.pooling_type", "u32", type],
      ["tokenizer.chat_template", "string", "{{ messages }}"],
    ]).capabilities
  expect(pooled(0)).toEqual(["completion", "chat"])
  expect(pooled(3)).toEqual(["embedding"])
  expect(pooled(4)).toEqual(["rerank"])
  expect(describeEntries([["general.architecture", "string", "nomic-bert"]]).capabilities).toEqual([
    "embedding",
  ])
})

test.each(["eurobert", "gemma-embedding", "jina-bert-v3", "nomic-bert-moe", "t5encoder"])(
  "%s only reads",
  (architecture) => {
    const { capabilities } = describeEntries([["general.architecture", "string", architecture]])
    expect(capabilities).toEqual(["embedding"])
  },
)

test.each(["t5", "llada", "eagle3", "wavtokenizer-dec"])(
  "%s neither embeds nor continues a text",
  (architecture) => {
    const { capabilities } = describeEntries([
      ["general.architecture", "string", architecture],
      [`${architecture}.attention.causal`, "bool", false],
    ])
    expect(capabilities).toEqual([])
  },
)

test("a model has the tools and thoughts that its template has", () => {
  const { capabilities } = describeTiny({ chatTemplate: "{% if tools %}<think>{% endif %}", fim: true })
  expect(capabilities).toEqual(["completion", "chat", "tools", "thinking", "insert"])
})

test("the quantisation is named by the file, and by most of its parameters where it does not say", () => {
  const tensor = (name: string, type: "f32" | "q8_0", count: number): GgufTensor => ({
    name,
    type,
    shape: [count],
    values: new Float32Array(count),
  })
  expect(describeEntries([["general.file_type", "u32", 15]]).quantization).toBe("Q4_K_M")
  expect(describeEntries([["general.file_type", "u32", 1024 + 2]]).quantization).toBe("Q4_0")
  const mixed = [tensor("a", "f32", 32), tensor("b", "q8_0", 64), tensor("c", "f32", 16)]
  expect(describeEntries([], mixed).quantization).toBe("Q8_0")
  expect(describeEntries([]).quantization).toBe("unknown")
})

test("a number that differs by layer counts as its largest", () => {
  const { heads } = describeEntries([
    ["general.architecture", "string", "openelm"],
    ["openelm.attention.head_count", "i32s", [12, 20, 16]],
  ])
  expect(heads).toBe(20)
})

test("arrays are shown as type and length", () => {
  const { metadata } = describeTiny({})
  expect(metadata["tokenizer.ggml.tokens"]).toBe("array of 512 string")
  expect(metadata["llama.block_count"]).toBe(2)
})
