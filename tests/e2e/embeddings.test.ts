import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { writeTinyEmbedder } from "../support/files/tiny-embedder"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"

setDefaultTimeout(120_000)

/** Any answer takes longer on a machine that stands still; one behind 2,048 texts would take longer than this. */
const QUICK_MS = 5_000

let xllm: Installation
let server: InstalledServer

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyEmbedder(join(xllm.models, "bert.gguf"))
  writeTinyEmbedder(join(xllm.models, "ranker.gguf"), { pooling: "rank" })
  writeTinyModel(join(xllm.models, "writer.gguf"))
  server = await xllm.serve([])
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

test("OpenAI's client gets vectors from the executable, in both encodings", async () => {
  const client = server.client("none")
  for (const model of ["bert", "writer"]) {
    const input = ["the cat", "a dog", "the moon"]
    // Without a format the client asks for base64, and decodes it.
    const packed = await client.embeddings.create({ model, input })
    const plain = await client.embeddings.create({ model, input, encoding_format: "float" })
    expect(packed.data.map(({ index, embedding }) => [index, embedding.length])).toEqual([
      [0, 64],
      [1, 64],
      [2, 64],
    ])
    for (const [index, { embedding }] of packed.data.entries())
      for (const [at, value] of embedding.entries())
        expect(plain.data[index]?.embedding[at]).toBeCloseTo(value, 4)
    expect(plain.usage.prompt_tokens).toBe(packed.usage.prompt_tokens)
    const short = await client.embeddings.create({ model, input: "the cat", dimensions: 8 })
    expect(Math.hypot(...(short.data[0]?.embedding ?? []))).toBeCloseTo(1, 5)
  }
})

test("embed prints the same with a server as without", async () => {
  const texts = ["the cat", "a dog"]
  const remote = await xllm.run(["embed", "bert", ...texts, "--host", server.url])
  expect(remote.err).toBe("")
  const local = await xllm.run(["embed", join(xllm.models, "bert.gguf"), ...texts])
  const numbers = ({ out }: { readonly out: string }) =>
    out
      .trim()
      .split("\n")
      .map((line): { index: number; embedding: number[] } => JSON.parse(line))
  expect(numbers(remote).map(({ index }) => index)).toEqual([0, 1])
  for (const [index, { embedding }] of numbers(remote).entries())
    for (const [at, value] of embedding.entries())
      expect(numbers(local)[index]?.embedding[at]).toBeCloseTo(value, 4)
})

test("documents are ranked, the best first", async () => {
  const body = { model: "ranker", query: "cat", documents: ["a dog", "the cat", "the moon"] }
  const response = await server.post("/v1/rerank", body)
  const { results } = (await response.json()) as { results: { index: number; relevance_score: number }[] }
  const scores = results.map(({ relevance_score }) => relevance_score)
  expect(results.map(({ index }) => index).sort()).toEqual([0, 1, 2])
  expect(scores).toEqual(scores.toSorted((a, b) => b - a))
})

test("the server answers probes while thousands of texts are tokenized", async () => {
  const text = "the cat and the dog of the old house by the river ".repeat(60)
  const input = Array.from({ length: 2048 }, (_, index) => `${index} ${text}`)
  let isOver = false
  const embedded = server
    .post("/v1/embeddings", { model: "bert", input, truncate_prompt_tokens: 8, encoding_format: "base64" })
    .finally(() => (isOver = true))
  const waits: number[] = []
  do {
    const asked = performance.now()
    expect((await server.get("/v0/health/live")).status).toBe(200)
    waits.push(performance.now() - asked)
  } while (!isOver)
  const { data } = (await (await embedded).json()) as { data: unknown[] }
  expect(data).toHaveLength(2048)
  expect(Math.max(...waits)).toBeLessThan(QUICK_MS)
})
