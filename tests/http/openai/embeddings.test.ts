import { expect, test } from "bun:test"
import { toEmbeddingCall } from "../../../src/http/openai/embeddings/embedding-call"
import { toRerankCall } from "../../../src/http/openai/embeddings/rerank-call"
import { fakeServer } from "../../support/http"

/** The parts of answers that tests look at by themselves. */
interface AnyBody {
  readonly data: readonly { readonly embedding: unknown }[]
  readonly results: readonly unknown[]
  readonly error: { readonly message: string }
}

async function jsonOf(response: Response | Promise<Response>) {
  const answer = await response
  return [answer.status, (await answer.json()) as AnyBody] as const
}

test("vectors come in the order of their inputs, whatever the order in which they are computed", async () => {
  const { post, engine } = fakeServer()
  const [status, body] = await jsonOf(post("/v1/embeddings", { model: "tiny", input: ["a", [7, 8], "c"] }))
  expect(status).toBe(200)
  expect(body).toMatchObject({
    object: "list",
    model: "tiny",
    data: [0, 1, 2].map((index) => ({ object: "embedding", index, embedding: [index, 0.5] })),
    usage: { prompt_tokens: 9, total_tokens: 9 },
  })
  expect(engine.embeddings[0]?.request).toMatchObject({ inputs: ["a", [7, 8], "c"], truncation: "no" })
})

test("texts among token ids are tokenized, and joined with them", async () => {
  const { post, engine } = fakeServer()
  await post("/v1/embeddings", { model: "tiny", input: [7, "ab", 8] })
  await post("/v1/embeddings", { model: "tiny", input: ["a", [7, "b"], [8]] })
  expect(engine.embeddings.map(({ request }) => request)).toMatchObject([
    { inputs: [[7, 97, 98, 8]] },
    { inputs: ["a", [7, 98], [8]] },
  ])
})

test("vectors have length 1 unless the request asks for another norm, or for none", async () => {
  const normOf = (fields: object) => toEmbeddingCall({ input: "a", ...fields }).request.norm
  expect([{}, { normalize: true }, { normalize: false }].map(normOf)).toEqual([undefined, undefined, -1])
  expect([{ embd_normalize: 0 }, { embd_normalize: 3, normalize: false }].map(normOf)).toEqual([0, 3])
})

test("base64 is of little-endian 32-bit numbers", async () => {
  const { post } = fakeServer()
  const [, body] = await jsonOf(
    post("/v1/embeddings", { model: "tiny", input: "a", encoding_format: "base64" }),
  )
  expect(body.data[0]?.embedding).toBe(Buffer.from(Float32Array.of(0, 0.5).buffer).toString("base64"))
})

test.each([
  [{}, "input is required"],
  [{ input: [] }, "input must not be empty"],
  [{ input: ["a", true] }, "input[1] must be a string or an array of token ids, got a boolean"],
  [{ input: ["a", 7, true] }, "input[2] must be a whole number between 0 and 2147483647, got true"],
  [{ input: [1, ...Array(257).fill("a")] }, "input must have at most 256 texts among token ids, got 257"],
  [{ input: ["a", [1, -1]] }, "input[1][1] must be a whole number between 0 and 2147483647, got -1"],
  [{ input: Array(2049).fill("a") }, "input must have at most 2048 inputs, got 2049"],
  [{ input: "a", dimensions: 0 }, "dimensions must be a whole number between 1 and 65536, got 0"],
  [{ input: "a", encoding_format: "int8" }, 'encoding_format must be one of float, base64, got "int8"'],
  [
    { input: "a", truncate: "MIDDLE" },
    'truncate must be true, false or one of NONE, START, END, got "MIDDLE"',
  ],
  [
    { input: "a", embd_normalize: -2 },
    "embd_normalize must be a whole number between -1 and 2147483647, got -2",
  ],
])("%j is refused: %s", async (fields, message) => {
  const { post } = fakeServer()
  const [status, body] = await jsonOf(post("/v1/embeddings", { model: "tiny", ...fields }))
  expect(status).toBe(400)
  expect(body.error.message).toBe(message)
})

test.each([
  [{}, { truncation: "no" }],
  [{ truncate: true }, { truncation: "start" }],
  [{ truncate: "START" }, { truncation: "end" }],
  [{ truncate: "end" }, { truncation: "start" }],
  [{ truncate: true, truncation_direction: "Left" }, { truncation: "end" }],
  [{ truncate_prompt_tokens: 30 }, { truncation: "start", maxTokens: 30 }],
  [
    { truncate_prompt_tokens: 30, truncation_side: "left" },
    { truncation: "end", maxTokens: 30 },
  ],
  [{ truncate_prompt_tokens: -1 }, { truncation: "start" }],
])("%j cuts texts to %j", (fields, options) => {
  const { truncation, maxTokens } = toEmbeddingCall({ input: "a", ...fields }).request
  expect<object>({ truncation, ...(maxTokens !== undefined && { maxTokens }) }).toEqual(options)
})

test.each(["/v1/rerank", "/v1/reranking", "/rerank", "/reranking"])(
  "%s answers the best documents first",
  async (path) => {
    const { post } = fakeServer()
    const documents = ["aa", { text: "aaaa" }, "a"]
    const asked = { model: "tiny", query: "q", documents, top_n: 2, return_documents: true }
    const [status, body] = await jsonOf(post(path, asked))
    expect(status).toBe(200)
    expect(body).toMatchObject({
      model: "tiny",
      results: [
        { index: 1, relevance_score: 4, document: { text: "aaaa" } },
        { index: 0, relevance_score: 2, document: { text: "aa" } },
      ],
      usage: { prompt_tokens: 9, total_tokens: 9 },
    })
    expect(body.results).toHaveLength(2)
  },
)

test("texts instead of documents are answered as TEI does", async () => {
  const { post } = fakeServer()
  const [, body] = await jsonOf(post("/rerank", { model: "tiny", query: "q", texts: ["a", "aaa"] }))
  expect<unknown>(body).toEqual([
    { index: 1, score: 3 },
    { index: 0, score: 1 },
  ])
})

test("what a rerank request lacks is said", () => {
  const failures = [
    {},
    { query: "q" },
    { query: "q", documents: [] },
    { query: "q", documents: ["a", { title: "b" }] },
    { query: "q".repeat(1024 * 1024), documents: Array(64).fill("a") },
  ].map((body) => {
    try {
      return toRerankCall(body)
    } catch (error) {
      return error instanceof Error ? error.message : error
    }
  })
  expect(failures).toEqual([
    "query is required",
    "documents is required",
    "documents must not be empty",
    "documents[1] must be a string or an object with a text, got an object",
    "query × documents must have at most 33554432 characters: the query has 1048576, and there are 64 documents",
  ])
})

test("tokens, texts and the length of a request are told without running it", async () => {
  const { post, engine } = fakeServer()
  expect<unknown>(
    await jsonOf(post("/v0/tokenize", { model: "tiny", text: "é", with_pieces: true })),
  ).toEqual([200, { tokens: [0xc3, 0xa9], count: 2, pieces: [[0xc3], [0xa9]] }])
  expect<unknown>(await jsonOf(post("/v0/detokenize", { model: "tiny", tokens: [104, 105] }))).toEqual([
    200,
    { text: "hi" },
  ])
  const messages = [{ role: "user", content: "hi" }]
  expect<unknown>(await jsonOf(post("/v0/count", { model: "tiny", messages }))).toEqual([200, { tokens: 3 }])
  expect(engine.calls).toHaveLength(0)
  for (const [path, field] of [
    ["tokenize", "text"],
    ["detokenize", "tokens"],
  ]) {
    const [status, body] = await jsonOf(post(`/v0/${path}`, { model: "tiny" }))
    expect([status, body.error.message]).toEqual([400, `${field} is required`])
  }
})

test("a text to be tokenized is bounded, because nothing can interrupt it", async () => {
  const { post } = fakeServer()
  expect((await post("/v0/tokenize", { model: "tiny", text: "x".repeat(2 ** 21) })).status).toBe(200)
  const response = await post("/v0/tokenize", { model: "tiny", text: "x".repeat(2 ** 21 + 1) })
  expect(response.status).toBe(400)
  expect(await response.text()).toContain("text must have at most 2097152 characters, got 2097153")
})
