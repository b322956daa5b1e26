import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { ManagedEngine } from "../../../src/engine"
import { TINY_DIMENSIONS, writeTinyEmbedder } from "../../support/files/tiny-embedder"
import { writeTinyModel } from "../../support/files/tiny-model"
import { failure } from "../../support/failure"
import { distance, embed, rank } from "../../support/real/embeddings"
import { realEngine } from "../../support/real/real-engine"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

/** More than one part of a text that is computed in parts. */
const LONG = "the cat sat on the moon ".repeat(140)

let folder: ReturnType<typeof tempFolder>
let apart: ManagedEngine
let pooled: ManagedEngine

beforeAll(() => {
  folder = tempFolder()
  const at = (name: string) => join(folder.path, `${name}.gguf`)
  writeTinyEmbedder(at("bert"))
  writeTinyEmbedder(at("qwen"), { architecture: "qwen3", contextLength: 4096 })
  writeTinyEmbedder(at("ranker"), { pooling: "rank" })
  writeTinyModel(at("writer"), { contextLength: 4096 })
  apart = realEngine(folder.path, { settings: { pooling: "none" } })
  pooled = realEngine(folder.path, { settings: { pooling: "mean" } })
})

afterAll(async () => {
  await Promise.all([apart.close(), pooled.close()])
  folder[Symbol.dispose]()
})

test.each([
  ["bert", ["the cat", "moon"]],
  ["qwen", ["the cat", "moon", LONG]],
  ["writer", ["the cat", LONG]],
] as const)("the tokens of %s have vectors, whose mean is that of the text", async (model, texts) => {
  const tokens = await embed(apart, model, texts, { takesTokens: true })
  const means = await embed(pooled, model, texts, { norm: -1 })
  const width = tokens.tokenWidth ?? 0
  expect(width).toBe(TINY_DIMENSIONS)
  expect(means.tokenWidth).toBeUndefined()
  let count = 0
  for (const [index, vector] of tokens.vectors.entries()) {
    const rows = vector.length / width
    count += rows
    const mean = Float32Array.from({ length: width }, (_, at) =>
      Array.from({ length: rows }, (_, row) => vector[row * width + at] ?? 0).reduce(
        (sum, x) => sum + x / rows,
        0,
      ),
    )
    expect(distance(mean, means.vectors[index])).toBeLessThan(1e-4)
  }
  expect(tokens.usage.inputTokens).toBe(count)
})

test("callers that take one vector for a text are refused, and so are too many vectors", async () => {
  const error = await failure(embed(apart, "bert", ["the cat"]))
  expect(error.message).toBe(
    "model 'bert' has a vector for each token (pooling none), which only POST /embedding answers with",
  )
  const many = Array.from({ length: 20 }, () => Array.from({ length: 4000 }, () => 1))
  const large = await failure(embed(apart, "qwen", many, { takesTokens: true }))
  expect(large.message).toContain(
    "the vectors of all tokens have 5120000 numbers; at most 4194304 are possible",
  )
})

test("a model that ranks does so whatever the pooling is set to", async () => {
  expect(await rank(apart, "ranker", "cat", ["the cat"])).toEqual(
    await rank(pooled, "ranker", "cat", ["the cat"]),
  )
})
