import { describe, expect, test } from "bun:test"
import type { GenerationEvent, GenerationRequest, RenderedPrompt } from "../../../src/domain/chat"
import { InternalError } from "../../../src/errors/base"
import { ContextLengthExceeded } from "../../../src/errors/request"
import { answer, done, FakeEngine, LOADED_TINY, token } from "../../support/fakes/fake-engine"
import { fakeServer, type Json, jsonOf, USER_HI } from "../../support/http"

const CHAT = { model: "tiny", messages: USER_HI }

async function linesOf(response: Response | Promise<Response>): Promise<readonly Json[]> {
  const text = await (await response).text()
  expect(text.endsWith("\n")).toBe(true)
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Json)
}

function chatOf(engine: FakeEngine) {
  const request = engine.lastRequest
  if (request.kind !== "chat") throw new Error("not a chat")
  return request
}

const ENDING = {
  done: true,
  done_reason: "stop",
  total_duration: 607e6,
  load_duration: 4e6,
  prompt_eval_count: 5,
  prompt_eval_duration: 500e6,
  eval_count: 2,
  eval_duration: 100e6,
}

describe("a chat", () => {
  test("is a stream of lines unless the request says otherwise", async () => {
    const { post } = fakeServer()
    const response = await post("/api/chat", CHAT)
    expect(response.headers.get("content-type")).toBe("application/x-ndjson")
    const common = { model: "tiny", created_at: expect.any(String) }
    expect(await linesOf(response)).toEqual([
      { ...common, message: { role: "assistant", content: "Hello" }, done: false },
      { ...common, message: { role: "assistant", content: " world" }, done: false },
      { ...common, message: { role: "assistant", content: "" }, ...ENDING },
    ])
  })

  test("is one record without a stream", async () => {
    const { post } = fakeServer()
    expect(await jsonOf(post("/api/chat", { ...CHAT, stream: false }))).toEqual({
      model: "tiny",
      created_at: expect.any(String),
      message: { role: "assistant", content: "Hello world" },
      ...ENDING,
    })
  })

  test("has thinking and whole calls apart from the text", async () => {
    const events: readonly GenerationEvent[] = [
      { type: "prompt", tokens: 5 },
      { type: "part-start", choice: 0, part: "reasoning" },
      { type: "delta", choice: 0, part: "reasoning", text: "Hm.", tokens: 1 },
      { type: "part-end", choice: 0, part: "reasoning" },
      { type: "part-start", choice: 0, part: "tool-call", id: "call1", name: "weather" },
      { type: "delta", choice: 0, part: "tool-call", text: '{"city":', tokens: 1 },
      { type: "delta", choice: 0, part: "tool-call", text: '"Rome"}', tokens: 1 },
      { type: "part-end", choice: 0, part: "tool-call" },
      { type: "finish", choice: 0, reason: "tool_calls", completionTokens: 3 },
      done(3),
    ]
    const { post } = fakeServer(async function* () {
      yield* events
    })
    const call = { id: "call1", function: { index: 0, name: "weather", arguments: { city: "Rome" } } }
    const lines = await linesOf(post("/api/chat", CHAT))
    expect(lines.map(({ message }) => message)).toEqual([
      { role: "assistant", content: "", thinking: "Hm." },
      { role: "assistant", content: "", tool_calls: [call] },
      { role: "assistant", content: "" },
    ])
    expect(lines.at(-1)).toMatchObject({ done: true, done_reason: "stop" })
    const whole = await jsonOf(post("/api/chat", { ...CHAT, stream: false }))
    expect(whole["message"]).toEqual({
      role: "assistant",
      content: "",
      thinking: "Hm.",
      tool_calls: [call],
    })
  })

  test("hands over options, format, tools and earlier calls", async () => {
    const { post, engine } = fakeServer()
    const parameters = { type: "object", properties: { city: { type: "string" } } }
    const called = { function: { name: "weather", arguments: { city: "Rome" } } }
    await post("/api/chat", {
      ...CHAT,
      messages: [
        { role: "User", content: "Weather?" },
        { role: "assistant", thinking: "Hm.", tool_calls: [called, called] },
        { role: "tool", tool_name: "weather", content: "rain" },
        { role: "tool", content: "sun" },
      ],
      tools: [{ type: "function", function: { name: "weather", description: "d", parameters } }],
      options: { temperature: 3, top_k: 5, num_predict: -1, stop: "END", seed: 7, num_ctx: 4096 },
      format: { type: "object" },
      keep_alive: "1h30m",
    })
    const [one, two] = chatOf(engine).messages[1]?.toolCalls ?? []
    expect(one?.id).not.toBe(two?.id)
    expect(chatOf(engine)).toMatchObject({
      messages: [
        { role: "user", content: "Weather?" },
        {
          role: "assistant",
          reasoning: "Hm.",
          toolCalls: [{ name: "weather", arguments: '{"city":"Rome"}' }, { name: "weather" }],
        },
        { role: "tool", name: "weather", content: "rain", toolCallId: two?.id ?? "" },
        { role: "tool", name: "weather", content: "sun", toolCallId: one?.id ?? "" },
      ],
      tools: { choice: "auto", isParallel: true, tools: [{ name: "weather", parameters }] },
      sampling: { temperature: 3, topK: 5, seed: 7 },
      maxTokens: Number.POSITIVE_INFINITY,
      stop: ["END"],
      output: { type: "schema", schema: { type: "object" }, isStrict: false },
      keepAliveSeconds: 5400,
    })
  })

  test("says of an option that it has no effect, once", async () => {
    const { post, logged } = fakeServer()
    for (let time = 0; time < 3; time++)
      await post("/api/chat", { ...CHAT, options: { num_batch: 7, top_k: 1 } })
    expect(logged.filter((line) => line.includes("option has no effect"))).toHaveLength(1)
  })

  test("says that a model serves a shorter context than num_ctx asks for, and logs it once", async () => {
    const { post, logged } = fakeServer()
    const asking = (num_ctx: number) => post("/api/chat", { ...CHAT, stream: false, options: { num_ctx } })
    for (const length of [0, 256]) expect(await jsonOf(asking(length))).not.toHaveProperty("warnings")
    for (let time = 0; time < 2; time++)
      expect((await jsonOf(asking(4096)))["warnings"]).toEqual([
        "options.num_ctx asks for 4096 tokens, but 'tiny' serves 256",
      ])
    expect(logged.filter((line) => line.includes("num_ctx is more than the model serves"))).toHaveLength(1)
    const lines = await linesOf(post("/api/chat", { ...CHAT, options: { num_ctx: 4096 } }))
    expect(lines.at(-1)).toMatchObject({ done: true, warnings: [expect.any(String)] })
  })

  test("reports log probabilities", async () => {
    const logprobs = [[token("Hi", -0.5, [token("Hi", -0.5)])]]
    const { post, engine } = fakeServer(() => answer(["Hi"], { logprobs }))
    const body = { ...CHAT, stream: false, logprobs: true, top_logprobs: 1 }
    const shown = { token: "Hi", logprob: -0.5, bytes: [72, 105] }
    expect((await jsonOf(post("/api/chat", body)))["logprobs"]).toEqual([{ ...shown, top_logprobs: [shown] }])
    expect(engine.lastRequest.topLogprobs).toBe(1)
  })

  test("that fails in the middle ends with a line that says so", async () => {
    const { post } = fakeServer(async function* () {
      yield { type: "delta", choice: 0, part: "text", text: "a", tokens: 1 }
      throw new InternalError("gone")
    })
    expect((await linesOf(post("/api/chat", CHAT))).at(-1)).toEqual({ error: "gone" })
  })

  test("continues an unfinished answer", async () => {
    const { post, engine } = fakeServer()
    await post("/api/chat", { ...CHAT, messages: [...USER_HI, { role: "assistant", content: "Once" }] })
    expect(chatOf(engine)).toMatchObject({ continueFinalMessage: true, addGenerationPrompt: false })
  })
})

describe("thinking", () => {
  test("is switched on and off, or has a level", async () => {
    const { post, engine } = fakeServer()
    engine.show = async () => ({ ...(await engine.resolve("tiny")), capabilities: ["thinking"] })
    await post("/api/chat", { ...CHAT, think: false })
    expect(chatOf(engine).reasoning).toEqual({ isEnabled: false })
    await post("/api/chat", { ...CHAT, think: "high" })
    expect(chatOf(engine).reasoning).toEqual({ isEnabled: true, effort: "high" })
    await post("/api/chat", CHAT)
    expect(chatOf(engine).reasoning).toBeUndefined()
    expect((await post("/api/chat", { ...CHAT, think: "much" })).status).toBe(400)
  })

  test("of a model that cannot is refused", async () => {
    const { post } = fakeServer()
    const response = await post("/api/chat", { ...CHAT, think: true })
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ error: '"tiny" does not support thinking' })
  })
})

describe("without anything to answer", () => {
  test("a model is loaded, or unloaded", async () => {
    const { post, engine } = fakeServer()
    const loaded: string[] = []
    engine.preload = async (...[model]: unknown[]) => void loaded.push(String(model))
    expect(await linesOf(post("/api/generate", { model: "tiny" }))).toMatchObject([
      { model: "tiny", response: "", done: true, done_reason: "load" },
    ])
    expect(loaded).toEqual(["tiny"])
    const body = { model: "tiny", messages: [], keep_alive: 0, stream: false }
    expect(await jsonOf(post("/api/chat", body))).toMatchObject({
      message: { role: "assistant", content: "" },
      done: true,
      done_reason: "unload",
    })
    expect(engine.stopped).toEqual(["tiny"])
    expect(engine.kept).toEqual([])
  })

  test("a model is kept for as long as the request says", async () => {
    const { post, engine } = fakeServer()
    await post("/api/generate", { model: "tiny", keep_alive: -1 })
    await post("/api/chat", { model: "tiny", messages: [], keep_alive: "10m" })
    expect(engine.kept).toEqual([
      ["tiny", null],
      ["tiny", 600],
    ])
  })

  test("a model in use is unloaded when it is idle", async () => {
    const { post, engine } = fakeServer()
    engine.loadedModels = [LOADED_TINY]
    const body = await jsonOf(post("/api/generate", { model: "tiny", keep_alive: 0, stream: false }))
    expect(body).toMatchObject({ done_reason: "unload" })
    expect(engine.stopped).toEqual([])
    expect(engine.kept).toEqual([["tiny", 0]])
  })
})

describe("a prompt", () => {
  test("is a chat with one turn, and its answer has a context to go on with", async () => {
    const { post, engine } = fakeServer(async function* () {
      yield { type: "prompt", tokens: 3 }
      yield { type: "delta", choice: 0, part: "text", text: "a", tokens: 1, ids: [11] }
      yield { type: "delta", choice: 0, part: "text", text: "", tokens: 0, ids: [12] }
      yield { type: "finish", choice: 0, reason: "length", completionTokens: 2 }
      yield done(2)
    })
    const body = { model: "tiny", prompt: "Hi", system: "Be brief.", stream: false }
    expect(await jsonOf(post("/api/generate", body))).toMatchObject({
      response: "a",
      done_reason: "length",
      context: [1, 2, 3, 11, 12],
    })
    expect(chatOf(engine).messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
    ])
    await post("/api/generate", { model: "tiny", prompt: "More", context: [7, 8] })
    expect(engine.lastRequest).toMatchObject({ kind: "completion", prompt: [7, 8, 1, 2, 3] })
  })

  test("is laid out by the template that comes with it", async () => {
    const { post, engine } = fakeServer()
    const template = "{{ .Prompt }}{{ .Suffix }}"
    const body = { model: "tiny", prompt: "a", template, stream: false }
    expect(await jsonOf(post("/api/generate", body))).toHaveProperty("context")
    expect(chatOf(engine)).toMatchObject({ template, messages: [{ role: "user", content: "a" }] })
    await post("/api/generate", { ...body, suffix: "b" })
    expect(chatOf(engine)).toMatchObject({ template, templateArguments: { suffix: "b" } })
    await post("/api/generate", { ...body, template: "" })
    expect(chatOf(engine).template).toBeUndefined()
    expect((await post("/api/generate", { ...body, raw: true })).status).toBe(400)
    expect((await post("/api/generate", { ...body, template: "x".repeat(65_537) })).status).toBe(400)
  })

  test("that is raw, or around a gap, is used as it is", async () => {
    const { post, engine } = fakeServer()
    const body = await jsonOf(post("/api/generate", { model: "tiny", prompt: "a", raw: true, stream: false }))
    expect(engine.lastRequest).toMatchObject({ kind: "completion", prompt: "a" })
    expect(body).not.toHaveProperty("context")
    await post("/api/generate", { model: "tiny", prompt: "a", suffix: "b" })
    expect(engine.lastRequest).toMatchObject({ kind: "completion", prompt: "a", suffix: "b" })
    expect((await post("/api/generate", { model: "tiny", prompt: "a", raw: true, system: "s" })).status).toBe(
      400,
    )
  })
})

describe("errors", () => {
  test.each([
    [{}, "model is required"],
    [{ ...CHAT, options: { temperature: "hot" } }, "options.temperature must be a number between 0 and 1000"],
    [{ ...CHAT, format: 7 }, 'format must be "json" or a JSON schema, got 7'],
    [{ ...CHAT, messages: [{ role: "user", content: "a", images: ["x"] }] }, "messages[0].images[0] is not"],
    [{ ...CHAT, messages: [{ role: "robot" }] }, "messages[0].role must be one of system, user"],
    [{ ...CHAT, options: { num_ctx: -1 } }, "options.num_ctx must be a whole number"],
  ])("%j are of a status and a sentence", async (body, message) => {
    const { post } = fakeServer()
    const response = await post("/api/chat", body)
    expect(response.status).toBe(400)
    expect(await jsonOf(response)).toEqual({ error: expect.stringContaining(message) })
  })

  test("for models that are not there have Ollama's words", async () => {
    const { post } = fakeServer()
    const response = await post("/api/chat", { model: "none", messages: [] })
    expect(response.status).toBe(404)
    expect((await jsonOf(response))["error"]).toStartWith("model 'none' not found")
  })
})

describe("a chat that is too long", () => {
  /** Every message is a token for each letter; 10 fit. */
  class Narrow extends FakeEngine {
    mostRendered = 30

    override async render(request: GenerationRequest): Promise<RenderedPrompt> {
      const rendered = await super.render(request)
      if (request.kind !== "chat") return rendered
      const length = request.messages.reduce((sum, { content }) => sum + content.length, 0)
      if (length > this.mostRendered) throw new ContextLengthExceeded(length, 10, "messages")
      return { ...rendered, tokens: Array<number>(length).fill(1) }
    }

    override async contextLength(): Promise<number> {
      return 10
    }
  }

  const LONG = {
    model: "tiny",
    stream: false,
    messages: [
      { role: "system", content: "ss" },
      { role: "user", content: "a".repeat(20) },
      { role: "assistant", content: "b".repeat(6) },
      { role: "user", content: "cc" },
      { role: "assistant", content: "dd" },
      { role: "user", content: "ee" },
    ],
  }

  test("loses its oldest messages where that is asked for, and says how many", async () => {
    const { post, engine } = fakeServer(undefined, { engine: new Narrow() })
    const body = await jsonOf(post("/api/chat", { ...LONG, truncate: true }))
    expect(body["dropped_messages"]).toBe(2)
    expect(chatOf(engine).messages.map(({ content }) => content)).toEqual(["ss", "cc", "dd", "ee"])
  })

  test("of thousands of messages is rendered a few times only", async () => {
    class Wide extends Narrow {
      renders = 0
      override async render(request: GenerationRequest): Promise<RenderedPrompt> {
        this.renders++
        return await super.render(request)
      }
    }
    const wide = new Wide()
    wide.contextLength = async () => 1000
    wide.mostRendered = 2000
    const { post, engine } = fakeServer(undefined, { engine: wide })
    const messages = Array.from({ length: 4001 }, (_, index) => ({
      role: index % 2 === 0 ? "user" : "assistant",
      content: "a".repeat(1 + (index % 7)),
    }))
    const body = await jsonOf(post("/api/chat", { ...LONG, messages, truncate: true }))
    const left = chatOf(engine).messages
    expect(body["dropped_messages"]).toBe(4001 - left.length)
    const length = left.reduce((sum, { content }) => sum + content.length, 0)
    expect(length).toBeLessThanOrEqual(1000)
    expect(length).toBeGreaterThan(900)
    expect(wide.renders).toBeLessThan(10)
  })

  test("is left as it is otherwise", async () => {
    const { post, engine } = fakeServer(undefined, { engine: new Narrow() })
    expect(await jsonOf(post("/api/chat", LONG))).not.toHaveProperty("dropped_messages")
    expect(chatOf(engine).messages).toHaveLength(6)
  })
})
