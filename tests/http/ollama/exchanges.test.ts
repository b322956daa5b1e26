import { describe, expect, test } from "bun:test"
import { answer } from "../../support/fakes/fake-engine"
import { fakeServer, jsonOf } from "../../support/http"

/** What Ollama's server answers to its clients, from its sources: requests, statuses, and bodies. */
interface Exchange {
  readonly is: string
  readonly method?: string
  readonly path: string
  readonly body?: unknown
  readonly status?: number
  /** Absent: there is no body, or it does not matter. */
  readonly answer?: object
}

const HI = [{ role: "user", content: "Hi" }]

const FINAL = {
  model: "tiny",
  created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/),
  done: true,
  done_reason: "stop",
  total_duration: expect.any(Number),
  load_duration: expect.any(Number),
  prompt_eval_count: 5,
  prompt_eval_duration: expect.any(Number),
  eval_count: 1,
  eval_duration: expect.any(Number),
}

const IDLE = { model: "tiny", created_at: FINAL.created_at, done: true }

const EXCHANGES: readonly Exchange[] = [
  { is: "a probe of the command line", method: "HEAD", path: "/" },
  { is: "the version", method: "GET", path: "/api/version", answer: { version: "0.33.0" } },
  { is: "a probe of the version", method: "HEAD", path: "/api/version" },
  { is: "a probe of the list", method: "HEAD", path: "/api/tags" },
  {
    is: "the list",
    method: "GET",
    path: "/api/tags",
    answer: {
      models: [
        {
          name: "tiny:latest",
          model: "tiny:latest",
          modified_at: "2026-01-02T03:04:05.000Z",
          size: 1234,
          digest: "abc123",
          details: {
            parent_model: "",
            format: "gguf",
            family: "llama",
            families: ["llama"],
            parameter_size: "1K",
            quantization_level: "F32",
            context_length: 512,
            embedding_length: 64,
          },
          capabilities: ["completion", "chat"],
        },
      ],
    },
  },
  {
    is: "a chat",
    path: "/api/chat",
    body: { model: "tiny", messages: HI, stream: false },
    answer: { ...FINAL, message: { role: "assistant", content: "Hello" } },
  },
  {
    is: "a chat with all fields unset",
    path: "/api/chat",
    body: {
      ...{ model: "tiny", messages: [{ ...HI[0], images: null, tool_calls: null }], stream: false },
      ...{ tools: null, format: "", options: null, think: null, keep_alive: null, logprobs: null },
    },
    answer: { ...FINAL, message: { role: "assistant", content: "Hello" } },
  },
  {
    is: "a chat with unknown fields and options",
    path: "/api/chat",
    body: { model: "tiny", messages: HI, stream: false, foo: 1, shift: true, options: { num_gqa: 8 } },
    answer: { ...FINAL, message: { role: "assistant", content: "Hello" } },
  },
  {
    is: "a generation, with a context to go on with",
    path: "/api/generate",
    body: { model: "tiny", prompt: "Hi", stream: false },
    answer: { ...FINAL, response: "Hello", context: [1, 2, 3] },
  },
  {
    is: "a raw generation, without",
    path: "/api/generate",
    body: { model: "tiny", prompt: "Hi", raw: true, stream: false },
    answer: { ...FINAL, response: "Hello" },
  },
  ...[undefined, 300, "5m", -1, "-1", "1h30m", 0.5].map((keep_alive) => ({
    is: `a load with a keep_alive of ${keep_alive}`,
    path: "/api/generate",
    body: { model: "tiny", keep_alive, stream: false },
    answer: { ...IDLE, response: "", done_reason: "load" },
  })),
  ...[0, "0", "0s"].map((keep_alive) => ({
    is: `an unload with a keep_alive of ${JSON.stringify(keep_alive)}`,
    path: "/api/chat",
    body: { model: "tiny", messages: [], keep_alive, stream: false },
    answer: { ...IDLE, message: { role: "assistant", content: "" }, done_reason: "unload" },
  })),
  {
    is: "vectors",
    path: "/api/embed",
    body: { model: "tiny", input: ["a", "b"] },
    answer: {
      model: "tiny",
      embeddings: [
        [0, 0.5],
        [1, 0.5],
      ],
      total_duration: expect.any(Number),
      load_duration: expect.any(Number),
      prompt_eval_count: 6,
    },
  },
  {
    is: "no vectors of nothing",
    path: "/api/embed",
    body: { model: "tiny", input: [] },
    answer: { model: "tiny", embeddings: [] },
  },
  {
    is: "the older form of a vector",
    path: "/api/embeddings",
    body: { model: "tiny", prompt: "a" },
    answer: { embedding: [0, 0.5] },
  },
  {
    is: "a body that is missing",
    path: "/api/chat",
    body: "",
    status: 400,
    answer: { error: expect.stringContaining("empty") },
  },
  {
    is: "a body that is no JSON",
    path: "/api/chat",
    body: "{",
    status: 400,
    answer: { error: expect.stringContaining("JSON") },
  },
  {
    is: "a model that is not there",
    path: "/api/chat",
    body: { model: "none", messages: [] },
    status: 404,
    answer: { error: expect.stringMatching(/^model 'none' not found/) },
  },
  {
    is: "a description of a model that is not there",
    path: "/api/show",
    body: { model: "none" },
    status: 404,
    answer: { error: expect.stringMatching(/^model 'none' not found/) },
  },
  {
    is: "thinking of a model that cannot",
    path: "/api/chat",
    body: { model: "tiny", messages: HI, think: true },
    status: 400,
    answer: { error: '"tiny" does not support thinking' },
  },
  {
    is: "a level of thinking that does not exist",
    path: "/api/chat",
    body: { model: "tiny", messages: HI, think: "much" },
    status: 400,
    answer: { error: expect.stringContaining("think must be") },
  },
  {
    is: "more alternatives than there may be",
    path: "/api/chat",
    body: { model: "tiny", messages: HI, logprobs: true, top_logprobs: 21 },
    status: 400,
    answer: { error: expect.stringContaining("top_logprobs") },
  },
  ...[{ template: "x" }, { system: "x" }, { context: [1] }].map((fields) => ({
    is: `a raw prompt with ${Object.keys(fields)[0]}`,
    path: "/api/generate",
    body: { model: "tiny", prompt: "a", raw: true, ...fields },
    status: 400,
    answer: { error: expect.stringContaining("raw") },
  })),
  {
    is: "a push",
    path: "/api/push",
    body: { model: "tiny" },
    status: 400,
    answer: { error: expect.stringContaining("pushed") },
  },
  { is: "a route that does not exist", path: "/api/nothing", body: {}, status: 404 },
  { is: "a method that a route does not have", method: "GET", path: "/api/chat", status: 405 },
]

describe("Ollama's clients are answered as by Ollama:", () => {
  test.each(EXCHANGES.map((exchange) => [exchange.is, exchange] as const))(
    "%s",
    async (_, { method = "POST", path, body, status = 200, answer: expected }) => {
      const { app } = fakeServer(() => answer(["Hello"]))
      const text = typeof body === "string" ? body : JSON.stringify(body)
      const response = await app.handle(
        new Request(`http://localhost${path}`, { method, ...(text !== undefined && { body: text }) }),
      )
      expect(response.status).toBe(status)
      if (expected === undefined) return
      expect(response.headers.get("content-type")).toContain("application/json")
      expect(await jsonOf(response)).toEqual(expected as never)
    },
  )
})
