import { describe, expect, test } from "bun:test"
import type { ChatRequest, GenerationEvent } from "../../../src/domain/chat"
import { InternalError } from "../../../src/errors/base"
import { ContextLengthExceeded } from "../../../src/errors/request"
import { done, type FakeEngine } from "../../support/fakes/fake-engine"
import { fakeServer, type Json, jsonOf, USER_HI } from "../../support/http"

const CALL = { model: "tiny", max_tokens: 9, messages: USER_HI }

function chatOf(engine: FakeEngine): ChatRequest {
  const request = engine.lastRequest
  if (request.kind !== "chat") throw new Error("not a chat")
  return request
}

const EVENTS: readonly GenerationEvent[] = [
  { type: "prompt", tokens: 5 },
  { type: "part-start", choice: 0, part: "reasoning" },
  { type: "delta", choice: 0, part: "reasoning", text: "Hm.", tokens: 1 },
  { type: "part-end", choice: 0, part: "reasoning" },
  { type: "part-start", choice: 0, part: "text" },
  { type: "delta", choice: 0, part: "text", text: "Let me see.", tokens: 1 },
  { type: "part-end", choice: 0, part: "text" },
  { type: "part-start", choice: 0, part: "tool-call", id: "toolu_1", name: "weather" },
  { type: "delta", choice: 0, part: "tool-call", text: '{"city":', tokens: 1 },
  { type: "delta", choice: 0, part: "tool-call", text: '"Rome"}', tokens: 1 },
  { type: "part-end", choice: 0, part: "tool-call" },
  { type: "finish", choice: 0, reason: "tool_calls", completionTokens: 4 },
  done(4),
]

async function* calling(): AsyncGenerator<GenerationEvent> {
  yield* EVENTS
}

const USAGE = {
  input_tokens: 3,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 2,
  output_tokens: 4,
}

describe("a message", () => {
  test("has a block for each part", async () => {
    const { post } = fakeServer(calling)
    expect(await jsonOf(post("/v1/messages?beta=true", CALL))).toEqual({
      id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
      type: "message",
      role: "assistant",
      model: "tiny",
      content: [
        { type: "thinking", thinking: "Hm.", signature: expect.stringMatching(/^.{40,}$/) },
        { type: "text", text: "Let me see." },
        { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Rome" } },
      ],
      stop_reason: "tool_use",
      stop_sequence: null,
      usage: USAGE,
    })
  })

  test.each([
    [{ reason: "stop" }, "end_turn", null],
    [{ reason: "stop", stop: "END" }, "stop_sequence", "END"],
    [{ reason: "length" }, "max_tokens", null],
  ] as const)("that ends with %j says %s", async (end, reason, sequence) => {
    const { post } = fakeServer(async function* () {
      yield { type: "prompt", tokens: 5 }
      yield { type: "finish", choice: 0, completionTokens: 0, ...end }
      yield done(0)
    })
    expect(await jsonOf(post("/v1/messages", CALL))).toMatchObject({
      stop_reason: reason,
      stop_sequence: sequence,
    })
  })

  test("is streamed as the protocol's events", async () => {
    const { post } = fakeServer(calling)
    const text = await (await post("/v1/messages", { ...CALL, stream: true })).text()
    const events = text
      .trimEnd()
      .split("\n\n")
      .map((event) => {
        const [, name, data = ""] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? []
        const body = JSON.parse(data) as Json
        expect(body["type"]).toBe(name)
        return body
      })
    expect(events).toMatchObject([
      { type: "message_start", message: { role: "assistant", content: [], usage: { input_tokens: 5 } } },
      { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "Hm." } },
      { type: "content_block_delta", index: 0, delta: { type: "signature_delta" } },
      { type: "content_block_stop", index: 0 },
      { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Let me see." } },
      { type: "content_block_stop", index: 1 },
      {
        type: "content_block_start",
        index: 2,
        content_block: { type: "tool_use", id: "toolu_1", name: "weather", input: {} },
      },
      {
        type: "content_block_delta",
        index: 2,
        delta: { type: "input_json_delta", partial_json: '{"city":' },
      },
      { type: "content_block_delta", index: 2, delta: { partial_json: '"Rome"}' } },
      { type: "content_block_stop", index: 2 },
      { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: USAGE },
      { type: "message_stop" },
    ])
  })

  test("that breaks off ends with an error", async () => {
    const { post } = fakeServer(async function* () {
      yield* EVENTS.slice(0, 3)
      throw new InternalError("gone")
    })
    const text = await (await post("/v1/messages", { ...CALL, stream: true })).text()
    expect(text.trimEnd().split("\n\n").at(-1)).toStartWith('event: error\ndata: {"type":"error"')
  })
})

describe("a request", () => {
  test("of an agent becomes a chat", async () => {
    const { post, engine } = fakeServer(calling)
    const schema = { type: "object", properties: { city: { type: "string" } } }
    await post("/v1/messages", {
      ...CALL,
      system: [
        { type: "text", text: "x-anthropic-billing-header: cc_version=2; cch=abc12;" },
        { type: "text", text: "You are an agent.", cache_control: { type: "ephemeral" } },
      ],
      messages: [
        { role: "user", content: [{ type: "text", text: "Weather?", cache_control: { type: "ephemeral" } }] },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "Hm.", signature: "whoever" },
            { type: "redacted_thinking", data: "x" },
            { type: "text", text: "I look." },
            { type: "tool_use", id: "t1", name: "weather", input: { city: "Rome" } },
            { type: "tool_use", id: "t2", name: "weather", input: {} },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "rain" }] },
            { type: "tool_result", tool_use_id: "t2", content: "no city", is_error: true },
            { type: "text", text: "And?" },
          ],
        },
        { role: "system", content: "Hurry." },
      ],
      tools: [
        { name: "weather", description: "d", input_schema: schema, cache_control: { type: "ephemeral" } },
        { type: "web_search_20250305", name: "web_search", max_uses: 3 },
      ],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
      thinking: { type: "enabled", budget_tokens: 1024 },
      output_config: { effort: "high" },
      stop_sequences: ["END"],
      temperature: 0.5,
      metadata: { user_id: "u" },
      context_management: { edits: [] },
    })
    expect(chatOf(engine)).toMatchObject({
      messages: [
        { role: "system", content: "You are an agent." },
        { role: "user", content: [{ type: "text", text: "Weather?" }] },
        {
          role: "assistant",
          reasoning: "Hm.",
          content: [{ type: "text", text: "I look." }],
          toolCalls: [
            { id: "t1", name: "weather", arguments: '{"city":"Rome"}' },
            { id: "t2", name: "weather", arguments: "{}" },
          ],
        },
        { role: "tool", name: "weather", toolCallId: "t1", content: "rain" },
        { role: "tool", toolCallId: "t2", content: "Error: no city" },
        { role: "user", content: [{ type: "text", text: "And?" }] },
        { role: "system", content: "Hurry." },
      ],
      tools: { tools: [{ name: "weather", parameters: schema }], choice: "required", isParallel: false },
      reasoning: { isEnabled: true, budgetTokens: 1024, effort: "high" },
      maxTokens: 9,
      stop: ["END"],
      sampling: { temperature: 0.5 },
    })
  })

  test("thinks only where it says so, and names a tool that must be called", async () => {
    const { post, engine } = fakeServer(calling)
    const tools = [{ name: "weather", input_schema: { type: "object" } }]
    await post("/v1/messages", { ...CALL, tools, tool_choice: { type: "tool", name: "weather" } })
    expect(chatOf(engine)).toMatchObject({
      reasoning: { isEnabled: false },
      tools: { choice: "required", callable: ["weather"] },
    })
    await post("/v1/messages", { ...CALL, tools, tool_choice: { type: "none" } })
    expect(chatOf(engine).tools).toBeUndefined()
  })

  test("may ask for JSON of a schema, or be the beginning of the answer", async () => {
    const { post, engine } = fakeServer(calling)
    const schema = { type: "object" }
    const messages = [...USER_HI, { role: "assistant", content: "Once" }]
    await post("/v1/messages", {
      ...CALL,
      messages,
      output_config: { format: { type: "json_schema", schema } },
    })
    expect(chatOf(engine)).toMatchObject({
      continueFinalMessage: true,
      output: { type: "schema", schema, isStrict: false },
    })
  })

  test("can be counted without being run", async () => {
    const { post, engine } = fakeServer(calling)
    expect(await jsonOf(post("/v1/messages/count_tokens", CALL))).toEqual({ input_tokens: 3 })
    expect(engine.calls).toHaveLength(0)
  })
})

test("blocks inside of results count as those outside", async () => {
  const { post } = fakeServer()
  const part = { type: "text", text: "a" }
  const results = Array.from({ length: 20 }, (_, index) => ({
    type: "tool_result",
    tool_use_id: `call${index}`,
    content: Array(1000).fill(part),
  }))
  const calls = results.map(({ tool_use_id: id }) => ({ type: "tool_use", id, name: "read", input: {} }))
  const messages = [...USER_HI, { role: "assistant", content: calls }, { role: "user", content: results }]
  const response = await post("/v1/messages", { ...CALL, messages })
  expect(response.status).toBe(400)
  expect(await response.text()).toContain("messages must have at most 16384 blocks in all")
  const fewer = messages.with(-1, {
    role: "user",
    content: results.map((one) => ({ ...one, content: [part] })),
  })
  expect((await post("/v1/messages", { ...CALL, messages: fewer })).status).toBe(200)
})

describe("errors have Anthropic's shape", () => {
  test.each([
    [{ ...CALL, model: undefined }, 400, "invalid_request_error", "model is required"],
    [{ ...CALL, model: "none" }, 404, "not_found_error", "model 'none' not found"],
    [{ ...CALL, max_tokens: 0 }, 400, "invalid_request_error", "max_tokens must be"],
    [
      { ...CALL, messages: [{ role: "user", content: [{ type: "document", source: {} }] }] },
      400,
      "invalid_request_error",
      'messages[0].content[0] has type "document"',
    ],
    [
      { ...CALL, messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "x" }] }] },
      400,
      "invalid_request_error",
      "messages[0].content[0].tool_use_id 'x' is not the id",
    ],
    [{ ...CALL, tool_choice: { type: "tool", name: "x" } }, 400, "invalid_request_error", "tool_choice.name"],
  ])("%j", async (body, status, type, message) => {
    const { post } = fakeServer()
    const path = status === 404 ? "/v1/messages/count_tokens" : "/v1/messages"
    const response = await post(path, body)
    expect(response.status).toBe(status)
    expect(await jsonOf(response)).toMatchObject({
      type: "error",
      error: { type, message: expect.stringContaining(message) },
      request_id: response.headers.get("x-request-id"),
    })
  })

  test("and its words for a prompt that is too long, which agents look for", async () => {
    const { post } = fakeServer(async function* () {
      yield { type: "queued", position: 0 }
      throw new ContextLengthExceeded(99, 10, "messages")
    })
    expect(await jsonOf(post("/v1/messages", CALL))).toMatchObject({
      error: { type: "invalid_request_error", message: "prompt is too long: 99 tokens > 10 maximum" },
    })
  })
})

test("models are listed in the form of those who ask", async () => {
  const { get } = fakeServer()
  const theirs = await jsonOf(get("/v1/models", { headers: { "anthropic-version": "2023-06-01" } }))
  expect(theirs).toEqual({
    data: [
      { type: "model", id: "tiny", display_name: "tiny", created_at: expect.stringMatching(/^\d{4}-.*Z$/) },
    ],
    has_more: false,
    first_id: "tiny",
    last_id: "tiny",
  })
  expect(await jsonOf(get("/v1/models"))).toMatchObject({ object: "list" })
})
