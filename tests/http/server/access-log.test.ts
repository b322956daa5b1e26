import { describe, expect, test } from "bun:test"
import type { GenerationEvent } from "../../../src/domain/chat"
import { WorkerCrashed } from "../../../src/errors/engine"
import { QueueFull } from "../../../src/errors/request"
import { done, untilAborted } from "../../support/fakes/fake-engine"
import { fakeServer, readerOf, USER_HI } from "../../support/http"
import { until } from "../../support/until"

const CHAT = "/v1/chat/completions"

const parsed = (logged: readonly string[]) => logged.map((line) => JSON.parse(line) as unknown)

test("a request is one line with its route, status, time, id, model and tokens", async () => {
  const { post, logged } = fakeServer()
  const headers = { "content-type": "application/json", "x-request-id": "r-1" }
  await post(`${CHAT}?secret=1`, { model: "tiny", messages: USER_HI }, { headers })
  expect(parsed(logged)).toEqual([
    {
      time: expect.any(String),
      level: "info",
      event: "request",
      requestId: "r-1",
      method: "POST",
      path: CHAT,
      status: 200,
      ms: expect.any(Number),
      model: "tiny",
      promptTokens: 5,
      tokens: 2,
    },
  ])
})

test("a request's model is what the engine calls it, and where there is none what the request calls it", async () => {
  const { post, logged, engine } = fakeServer()
  engine.models = ["first", "tiny"]
  await post(CHAT, { model: "TINY", messages: USER_HI })
  await post(CHAT, { model: "TINY" })
  await post(CHAT, { model: "gone", messages: USER_HI })
  await post(CHAT, { model: "x".repeat(1000), messages: USER_HI })
  const [named, refused, unknown, absurd] = logged.map((line) => JSON.parse(line))
  expect(named).toMatchObject({ status: 200, model: "tiny", tokens: 2 })
  expect(refused).toMatchObject({ status: 400, model: "tiny" })
  expect(refused).not.toHaveProperty("tokens")
  expect(unknown).toMatchObject({ model: "gone" })
  expect(absurd).not.toHaveProperty("model")
})

test("a stream's line comes at its end", async () => {
  const { post, logged } = fakeServer()
  const response = await post(CHAT, { messages: USER_HI, stream: true })
  await response.text()
  expect(parsed(logged)).toMatchObject([{ status: 200, model: "tiny", tokens: 2 }])
})

test("a completion of several prompts counts them together", async () => {
  const { post, logged } = fakeServer()
  await post("/v1/completions", { prompt: ["a", "b", "c"] })
  expect(parsed(logged)).toMatchObject([{ promptTokens: 15, tokens: 6 }])
})

test("a stream that breaks off says why, and that the client had seen a 200", async () => {
  const { post, logged } = fakeServer(async function* (): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 1 }
    throw new WorkerCrashed("tiny", "was killed", [])
  })
  await (await post(CHAT, { messages: USER_HI, stream: true })).text()
  expect(parsed(logged)).toMatchObject([{ level: "error", status: 200, code: "worker_crashed" }])
})

test("a client that leaves a stream is no error of the server", async () => {
  const { post, logged, engine } = fakeServer(async function* (_request, signal) {
    yield { type: "prompt", tokens: 1 }
    yield { type: "delta", choice: 0, part: "text", text: "Um", tokens: 1 }
    yield await untilAborted(signal)
  })
  const reader = readerOf(await post(CHAT, { messages: USER_HI, stream: true }))
  await reader.next()
  await reader.cancel()
  await engine.calls[0]?.left
  await until(() => logged.length > 0)
  expect(parsed(logged)).toMatchObject([{ level: "info", status: 200, code: "cancelled", tokens: 1 }])
})

test("a server that is full warns", async () => {
  const { post, logged } = fakeServer(() => {
    throw new QueueFull("tiny", 5, 9)
  })
  await post(CHAT, { messages: USER_HI })
  expect(parsed(logged)).toMatchObject([{ level: "warn", status: 503, code: "queue_full" }])
})

test("a defect says where it is", async () => {
  const { post, logged } = fakeServer(() => {
    throw new TypeError("x is not a function")
  })
  await post(CHAT, { messages: USER_HI })
  expect(parsed(logged)).toMatchObject([
    { level: "error", code: "internal_error", stack: expect.stringContaining("access-log.test.ts") },
  ])
})

test("what machines ask all the time is for debugging only", async () => {
  const { get, logged, engine } = fakeServer(undefined, { logLevel: "debug" })
  await get("/v0/health/live")
  await get("/v0/health")
  await get(CHAT, { method: "OPTIONS" })
  engine.state = "stopping"
  await get("/v0/health/ready")
  expect(parsed(logged)).toMatchObject([
    { level: "debug", path: "/v0/health/live" },
    { level: "debug", path: "/v0/health" },
    { level: "debug", method: "OPTIONS" },
    { level: "debug", path: "/v0/health/ready", status: 503 },
  ])
})

describe("prompts and answers", () => {
  const messages = [{ role: "user", content: "my secret" }]

  test("are not in the log", async () => {
    const { post, logged } = fakeServer(undefined, { logLevel: "debug" })
    await post(CHAT, { messages })
    await (await post(CHAT, { messages, stream: true })).text()
    await post("/v1/completions", { prompt: "my secret" })
    expect(logged).toHaveLength(3)
    expect(logged.join("")).not.toMatch(/secret|Hello/)
  })

  test("are where the user wants them there", async () => {
    const { post, logged } = fakeServer(undefined, { settings: { logContent: true } })
    await (await post(CHAT, { messages, stream: true })).text()
    await post("/v1/completions", { prompt: ["one", "two"] })
    expect(parsed(logged)).toMatchObject([
      { prompts: [messages], answer: "Hello world" },
      { prompts: ["one", "two"], answer: expect.stringContaining("Hello") },
    ])
  })

  test("have their tool calls there, and no thinking", async () => {
    const script = async function* (): AsyncGenerator<GenerationEvent> {
      yield { type: "part-start", choice: 0, part: "reasoning" }
      yield { type: "delta", choice: 0, part: "reasoning", text: "Hm.", tokens: 1 }
      yield { type: "part-end", choice: 0, part: "reasoning" }
      yield { type: "part-start", choice: 0, part: "tool-call", id: "c1", name: "add" }
      yield { type: "delta", choice: 0, part: "tool-call", text: '{"a":1}', tokens: 1 }
      yield { type: "part-end", choice: 0, part: "tool-call" }
      yield { type: "finish", choice: 0, reason: "tool_calls", completionTokens: 2 }
      yield done(2)
    }
    const { post, logged } = fakeServer(script, { settings: { logContent: true } })
    await (await post(CHAT, { messages })).text()
    expect(parsed(logged)).toMatchObject([{ tokens: 2, answer: '[add] {"a":1}' }])
  })
})
