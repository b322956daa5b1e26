import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { ManagedEngine } from "../../../src/engine"
import { XllmError } from "../../../src/errors/base"
import { TINY_DIMENSIONS, WORD_PIECES, writeTinyEmbedder } from "../../support/files/tiny-embedder"
import { writeTinyModel } from "../../support/files/tiny-model"
import { failure } from "../../support/failure"
import { distance, embed, norm, rank } from "../../support/real/embeddings"
import { answerOf, realEngine } from "../../support/real/real-engine"
import { greedy } from "../../support/requests"
import { tempFolder } from "../../support/temp-folder"

// Nothing here waits for a clock; this is for machines on which everything takes its time.
setDefaultTimeout(60_000)

const WORDS = WORD_PIECES.filter((piece) => /^[a-z]+$/.test(piece))
const EMBEDDERS = ["bert", "qwen"] as const

let folder: ReturnType<typeof tempFolder>
let engine: ManagedEngine

beforeAll(() => {
  folder = tempFolder()
  const at = (name: string) => join(folder.path, `${name}.gguf`)
  writeTinyEmbedder(at("bert"))
  writeTinyEmbedder(at("qwen"), { architecture: "qwen3", contextLength: 4096 })
  writeTinyEmbedder(at("cls"), { pooling: "cls" })
  writeTinyEmbedder(at("open"), { pooling: null })
  writeTinyEmbedder(at("broken"), { brokenToken: WORD_PIECES.indexOf("moon") })
  writeTinyEmbedder(at("ranker"), { pooling: "rank" })
  writeTinyEmbedder(at("templated"), {
    architecture: "qwen3",
    pooling: "rank",
    contextLength: 4096,
    rerankTemplate: "ask: {query} read: {document} so:",
  })
  writeTinyModel(at("writer"))
  engine = realEngine(folder.path)
})

afterAll(async () => {
  await engine.close()
  folder[Symbol.dispose]()
})

/** A text of so many words, different for every seed. */
function words(count: number, seed: number): string {
  return Array.from({ length: count }, (_, at) => WORDS[(seed * 7 + at * 3 + seed * at) % WORDS.length]).join(
    " ",
  )
}

test.each(EMBEDDERS)("%s gives a text the same vector alone and among others", async (model) => {
  const texts = Array.from({ length: 40 }, (_, index) => words(1 + ((index * 5) % 60), index))
  const { vectors, usage } = await embed(engine, model, texts)
  expect(usage.inputs).toBe(40)
  let tokens = 0
  for (const [index, text] of texts.entries()) {
    const alone = await embed(engine, model, [text])
    tokens += alone.usage.inputTokens
    expect(distance(vectors[index], alone.vectors[0])).toBeLessThan(1e-5)
    expect(norm(vectors[index])).toBeCloseTo(1, 5)
  }
  expect(usage.inputTokens).toBe(tokens)
  expect(distance(vectors[0], vectors[1])).toBeGreaterThan(0.01)
})

test("short texts, which have a context of their own, get the vectors of the usual one", async () => {
  const usual = realEngine(folder.path, { settings: { flashAttention: "auto" } })
  try {
    for (const text of [words(1, 3), words(30, 4), words(61, 5), words(64, 6), words(200, 7)]) {
      const { vectors } = await embed(usual, "bert", [text])
      const exact = await embed(engine, "bert", [text])
      expect(distance(vectors[0], exact.vectors[0])).toBeLessThan(1e-3)
    }
    const several = Array.from({ length: 31 }, (_, index) => words(1, index))
    expect((await embed(usual, "bert", several)).vectors).toHaveLength(31)
  } finally {
    await usual.close()
  }
})

test("pooling follows the file, and is the mean where the file leaves it open", async () => {
  const poolings = new Map<string, string>()
  const vectors = new Map<string, Float32Array | undefined>()
  for (const model of ["bert", "cls", "open"]) {
    vectors.set(model, (await embed(engine, model, ["the cat"])).vectors[0])
    const info = engine.loaded().find(({ name }) => name === model)?.info
    poolings.set(model, info?.kind === "embedding" ? info.pooling : "?")
  }
  expect(Object.fromEntries(poolings)).toEqual({ bert: "mean", cls: "cls", open: "mean" })
  expect(distance(vectors.get("bert"), vectors.get("open"))).toBe(0)
  expect(distance(vectors.get("bert"), vectors.get("cls"))).toBeGreaterThan(0.01)
})

test("2,048 inputs come back in their order", async () => {
  const kinds = await embed(engine, "bert", WORDS)
  const inputs = Array.from({ length: 2048 }, (_, index) => WORDS[index % WORDS.length] ?? "")
  const { vectors, usage } = await embed(engine, "bert", inputs)
  expect(usage).toEqual({ inputs: 2048, inputTokens: 3 * 2048 })
  const most = vectors.map((vector, index) => distance(vector, kinds.vectors[index % WORDS.length]))
  expect(Math.max(...most)).toBeLessThan(1e-5)
})

test("token ids are read as they are", async () => {
  const ids = ["[CLS]", "the", "cat", "[SEP]"].map((piece) => WORD_PIECES.indexOf(piece))
  const { vectors } = await embed(engine, "bert", ["the cat", ids])
  expect(distance(vectors[0], vectors[1])).toBeLessThan(1e-5)
  const error = await failure(embed(engine, "bert", ["the cat", [2, 9999, 3]]))
  expect(error.message).toBe(
    `input[1] has the token 9999, but the model's tokens end at ${WORD_PIECES.length - 1}`,
  )
})

test("shorter vectors are the first numbers, at length 1 again", async () => {
  const whole = (await embed(engine, "bert", ["the cat"])).vectors[0] ?? new Float32Array()
  const [short] = (await embed(engine, "bert", ["the cat"], { dimensions: 8 })).vectors
  const first = whole.slice(0, 8)
  expect(short).toHaveLength(8)
  expect(
    distance(
      short,
      first.map((value) => value / norm(first)),
    ),
  ).toBeLessThan(1e-6)
  const error = await failure(embed(engine, "bert", ["the cat"], { dimensions: TINY_DIMENSIONS + 1 }))
  expect(error.param).toBe("dimensions")
})

test("vectors are scaled by the norm that the request asks for, or not at all", async () => {
  const withNorm = async (norm: number, dimensions = TINY_DIMENSIONS) =>
    (await embed(engine, "bert", ["the cat"], { norm, dimensions })).vectors[0] ?? new Float32Array()
  const lengthIn = (vector: Float32Array, power: number) =>
    vector.reduce((sum, value) => sum + Math.abs(value) ** power, 0) ** (1 / power)
  const raw = await withNorm(-1)
  expect(norm(raw)).not.toBeCloseTo(1, 3)
  for (const power of [1, 2, 3, 7]) {
    const vector = await withNorm(power)
    expect(lengthIn(vector, power)).toBeCloseTo(1, 5)
    expect((vector[0] ?? 0) * lengthIn(raw, power)).toBeCloseTo(raw[0] ?? 0, 5)
  }
  const largest = await withNorm(0)
  expect(Math.max(...largest.map(Math.abs))).toBeCloseTo(32_760, 1)
  const most = Math.max(...raw.map(Math.abs))
  const ofLargest = raw.map((value) => value / most)
  expect(distance(await withNorm(1_000_000), ofLargest)).toBeLessThan(1e-5)
  expect(distance(await withNorm(-1, 8), raw.slice(0, 8))).toBeLessThan(1e-5)
})

test("a text that is too long is refused by its number, with both lengths", async () => {
  const error = await failure(embed(engine, "bert", ["the cat", words(600, 1)]))
  expect(error.code).toBe("context_length_exceeded")
  expect(error.param).toBe("input[1]")
  expect(error.details).toMatchObject({ n_prompt_tokens: 602, n_ctx: 512 })
  expect(error.message).toContain("input[1] has 602")
})

test("a text that is too long is cut at either end, or where the request says", async () => {
  const long = words(600, 1).split(" ")
  const sameAs = async (kept: readonly string[], options: Parameters<typeof embed>[3]) => {
    const cut = await embed(engine, "bert", [long.join(" ")], options)
    const whole = await embed(engine, "bert", [kept.join(" ")])
    expect(cut.usage.inputTokens).toBe(kept.length + 2)
    expect(distance(cut.vectors[0], whole.vectors[0])).toBeLessThan(1e-5)
  }
  await sameAs(long.slice(0, 510), { truncation: "start" })
  await sameAs(long.slice(-510), { truncation: "end" })
  await sameAs(long.slice(0, 30), { truncation: "start", maxTokens: 32 })
})

test("of a text of megabytes only the part that may be kept is tokenized", async () => {
  const long = `${words(200, 1)} ${"x ".repeat(2 ** 21)} ${words(200, 2)}`
  const from = async (text: string, truncation: "start" | "end") =>
    (await embed(engine, "qwen", [text], { truncation, maxTokens: 64 })).vectors[0] as Float32Array
  expect(distance(await from(long, "start"), await from(words(200, 1), "start"))).toBeLessThan(1e-4)
  expect(distance(await from(long, "end"), await from(words(200, 2), "end"))).toBeLessThan(1e-4)
  const error = await failure(embed(engine, "qwen", ["a", long]))
  expect(error.param).toBe("input[1]")
  expect(error.message).toStartWith("input[1] must have at most 1048576 characters, got ")
  const refused = await failure(rank(engine, "ranker", long, ["a"]))
  expect(refused.message).toStartWith("query must have at most 1048576 characters, got ")
})

test("an empty text is one where the model encloses texts in tokens, and refused where it has none", async () => {
  const { usage, vectors } = await embed(engine, "bert", ["", "the"])
  expect(usage.inputTokens).toBe(5)
  expect(norm(vectors[0])).toBeCloseTo(1, 5)
  const error = await failure(embed(engine, "writer", ["the", ""]))
  expect(error.message).toBe("input[1] is empty: it has no tokens")
  expect(error.param).toBe("input[1]")
})

test("a text longer than a usual decode gets a larger context, with the same result beside others", async () => {
  const long = words(700, 3)
  const alone = await embed(engine, "qwen", [long])
  const among = await embed(engine, "qwen", ["the cat", long, "a dog"])
  expect(alone.usage.inputTokens).toBeGreaterThan(1024)
  expect(distance(alone.vectors[0], among.vectors[1])).toBeLessThan(1e-5)
})

test("a text that breaks the model ends its own request only", async () => {
  const [bad, good] = await Promise.allSettled([
    embed(engine, "broken", ["the cat", "the moon", "a dog"]),
    embed(engine, "broken", ["the cat", "a dog"]),
  ])
  expect(bad.status === "rejected" && bad.reason.code).toBe("decode_failed")
  expect(good.status === "fulfilled" && norm(good.value.vectors[1])).toBeCloseTo(1, 5)
})

const MANY = Array.from({ length: 512 }, (_, index) => words(100, index))

/** Runs a request until its first vectors, and then `meet`. Resolves to the code it ends with. */
async function meetWhileRunning(model: string, meet: () => Promise<unknown>): Promise<string> {
  const request = { kind: "embedding", model, inputs: MANY, truncation: "no" } as const
  let met: Promise<unknown> | undefined
  const work = async () => {
    for await (const event of engine.embed(request, new AbortController().signal))
      if (event.type === "vectors") met ??= meet()
  }
  const end = await work().then(
    () => "done",
    (error: unknown) => (error instanceof XllmError ? error.code : String(error)),
  )
  await met
  return end
}

test("a client that leaves frees its place", async () => {
  const request = { kind: "embedding", model: "bert", inputs: MANY, truncation: "no" } as const
  for await (const event of engine.embed(request, new AbortController().signal))
    if (event.type === "vectors") break
  await embed(engine, "bert", ["the"])
  expect(engine.status().queue.running).toBe(0)
})

test("a model that is stopped ends its requests, and serves the next one", async () => {
  const end = await meetWhileRunning("cls", () => engine.stop("cls"))
  // On a machine that stood still meanwhile it may have been done.
  expect(["stopping", "done"]).toContain(end)
  expect((await embed(engine, "cls", ["the"])).vectors).toHaveLength(1)
})

test("a query and a document are read as the model was trained to read pairs", async () => {
  // Of 512 tokens 4 enclose them, and the query has one.
  const documents = ["the cat is old", "a dog", words(507, 1)]
  const scores = await rank(engine, "ranker", "cat", documents)
  expect(new Set(scores).size).toBe(3)
  const alone = await rank(engine, "ranker", "cat", documents.slice(1, 2))
  expect(alone[0]).toBeCloseTo(scores[1] ?? 0, 5)
  const error = await failure(rank(engine, "ranker", "cat", ["a", words(509, 1)]))
  expect(error.param).toBe("documents[1]")
  expect(error.details).toMatchObject({ n_prompt_tokens: 513, n_ctx: 512 })
  const cut = await rank(engine, "ranker", "cat", [words(600, 2)], { truncation: "start" })
  expect(cut).toHaveLength(1)
})

test("a model's own template for pairs is used", async () => {
  const [score] = await rank(engine, "templated", "cat", ["a dog"])
  expect(score).toBeGreaterThan(0)
  expect(score).toBeLessThan(1)
  const [other] = await rank(engine, "templated", "a dog", ["cat"])
  expect(other).not.toBeCloseTo(score ?? 0, 6)
})

test("a text model embeds texts while it answers", async () => {
  const request = greedy("the cat", { maxTokens: 60, model: "writer" })
  const texts = Array.from({ length: 30 }, (_, index) => words(20, index))
  const alone = await answerOf(engine, request)
  const apart = await embed(engine, "writer", texts)
  const [answer, answer2, among] = await Promise.all([
    answerOf(engine, request),
    answerOf(engine, request),
    embed(engine, "writer", texts),
  ])
  expect([answer, answer2]).toEqual([alone, alone])
  for (const [index, vector] of among.vectors.entries())
    expect(distance(vector, apart.vectors[index])).toBeLessThan(1e-5)
  const long = await embed(engine, "writer", [words(400, 1)])
  expect(long.usage.inputTokens).toBeGreaterThan(512)
})

test("models that do not rank give no scores, and those that do give no vectors", async () => {
  for (const model of ["bert", "writer"]) {
    const error = await failure(rank(engine, model, "cat", ["a dog"]))
    expect([error.code, error.status]).toEqual(["unsupported", 400])
  }
  expect((await failure(embed(engine, "ranker", ["a"]))).code).toBe("unsupported")
})
