import { describe, expect, test } from "bun:test"
import OpenAI from "openai"
import type { ChatRequest, GenerationEvent } from "../../../../src/domain/chat"
import { InternalError } from "../../../../src/errors/base"
import { done, type FakeEngine } from "../../../support/fakes/fake-engine"
import { errorOf, fakeServer, type Json, jsonOf } from "../../../support/http"

const CALL = { model: "tiny", input: "Hi" }

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
  { type: "delta", choice: 0, part: "text", text: "Let me ", tokens: 1 },
  { type: "delta", choice: 0, part: "text", text: "see.", tokens: 1 },
  { type: "part-end", choice: 0, part: "text" },
  { type: "part-start", choice: 0, part: "tool-call", id: "call_1", name: "weather" },
  { type: "delta", choice: 0, part: "tool-call", text: '{"city":"Rome"}', tokens: 1 },
  { type: "part-end", choice: 0, part: "tool-call" },
  { type: "part-start", choice: 0, part: "tool-call", id: "call_2", name: "patch" },
  { type: "delta", choice: 0, part: "tool-call", text: '{"input":"+a"}', tokens: 1 },
  { type: "part-end", choice: 0, part: "tool-call" },
  { type: "finish", choice: 0, reason: "tool_calls", completionTokens: 4 },
  done(4),
]

async function* calling(): AsyncGenerator<GenerationEvent> {
  yield* EVENTS
}

const TOOLS = [
  { type: "function", name: "weather", parameters: { type: "object" }, strict: false },
  { type: "custom", name: "patch", description: "d" },
  { type: "web_search" },
]

function eventsOf(text: string): readonly Json[] {
  return text
    .trimEnd()
    .split("\n\n")
    .map((event) => {
      const [, name, data = ""] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? []
      const body = JSON.parse(data) as Json
      expect(body["type"]).toBe(name)
      return body
    })
}

describe("a response", () => {
  test("has an item for each part, and says what was left out", async () => {
    const { post } = fakeServer(calling)
    const body = await jsonOf(
      post("/v1/responses", { ...CALL, tools: TOOLS, temperature: 0.5, metadata: { a: "b" } }),
    )
    expect(body).toMatchObject({
      id: expect.stringMatching(/^resp_[0-9a-f]{32}$/),
      object: "response",
      status: "completed",
      model: "tiny",
      output: [
        { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "Hm." }] },
        {
          type: "message",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "Let me see.", annotations: [] }],
        },
        { type: "function_call", call_id: "call_1", name: "weather", arguments: '{"city":"Rome"}' },
        { type: "custom_tool_call", call_id: "call_2", name: "patch", input: "+a" },
      ],
      usage: {
        input_tokens: 5,
        input_tokens_details: { cached_tokens: 2 },
        output_tokens: 4,
        total_tokens: 9,
      },
      temperature: 0.5,
      metadata: { a: "b" },
      incomplete_details: null,
      warnings: ["tools that cannot be run or read here were left out: web_search"],
    })
  })

  test("that was cut off is incomplete", async () => {
    const { post } = fakeServer(async function* () {
      yield { type: "prompt", tokens: 5 }
      yield { type: "finish", choice: 0, reason: "length", completionTokens: 1 }
      yield done(1)
    })
    expect(await jsonOf(post("/v1/responses", CALL))).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
    })
  })

  test("is streamed as numbered events in the protocol's order", async () => {
    const { post } = fakeServer(calling)
    const events = eventsOf(
      await (await post("/v1/responses", { ...CALL, tools: TOOLS, stream: true })).text(),
    )
    expect(events.map((event) => event["sequence_number"])).toEqual(events.map((_, index) => index))
    expect(events.map(({ type }) => String(type).replace("response.", ""))).toEqual([
      ...["created", "in_progress"],
      ...["output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done"],
      ...["content_part.done", "output_item.done"],
      ...["output_item.added", "content_part.added", "output_text.delta", "output_text.delta"],
      ...["output_text.done", "content_part.done", "output_item.done"],
      ...["output_item.added", "function_call_arguments.delta", "function_call_arguments.done"],
      "output_item.done",
      ...["output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done"],
      "output_item.done",
      "completed",
    ])
    expect(events[17]).toMatchObject({ output_index: 2, name: "weather", arguments: '{"city":"Rome"}' })
    expect(events.at(-1)).toMatchObject({ response: { status: "completed", output: { length: 4 } } })
  })

  test("that breaks off ends with a failure", async () => {
    const { post } = fakeServer(async function* () {
      yield* EVENTS.slice(0, 3)
      throw new InternalError("gone")
    })
    const events = eventsOf(await (await post("/v1/responses", { ...CALL, stream: true })).text())
    expect(events.at(-1)).toMatchObject({
      type: "response.failed",
      response: { status: "failed", error: { message: "gone" } },
    })
  })
})

describe("a request", () => {
  test("of an agent becomes a chat", async () => {
    const { post, engine } = fakeServer(calling)
    await post("/v1/responses", {
      model: "tiny",
      instructions: "You are an agent.",
      input: [
        { role: "developer", content: "Hurry." },
        { type: "message", role: "user", content: [{ type: "input_text", text: "Weather?" }] },
        { type: "reasoning", id: "rs_1", summary: [], content: [{ type: "reasoning_text", text: "Hm." }] },
        { type: "reasoning", id: "rs_2", summary: [], encrypted_content: "x" },
        {
          type: "message",
          role: "assistant",
          id: "msg_1",
          status: "completed",
          content: [{ type: "output_text", text: "I look.", annotations: [] }],
        },
        { type: "function_call", id: "fc_1", call_id: "c1", name: "weather", arguments: "{}" },
        { type: "custom_tool_call", call_id: "c2", name: "patch", input: "+a" },
        { type: "function_call_output", call_id: "c1", output: "rain" },
        { type: "custom_tool_call_output", call_id: "c2", output: [{ type: "input_text", text: "done" }] },
      ],
      tools: TOOLS,
      tool_choice: { type: "function", name: "weather" },
      reasoning: { effort: "low", summary: "auto" },
      text: {
        format: { type: "json_schema", name: "n", schema: { type: "object" }, strict: true },
        verbosity: "low",
      },
      max_output_tokens: 9,
      store: false,
      include: ["reasoning.encrypted_content"],
      prompt_cache_key: "k",
      client_metadata: {},
    })
    expect(chatOf(engine)).toMatchObject({
      messages: [
        { role: "system", content: "You are an agent." },
        { role: "developer", content: [{ type: "text", text: "Hurry." }] },
        { role: "user", content: [{ type: "text", text: "Weather?" }] },
        {
          role: "assistant",
          reasoning: "Hm.",
          content: [{ type: "text", text: "I look." }],
          toolCalls: [
            { id: "c1", name: "weather", arguments: "{}" },
            { id: "c2", name: "patch", arguments: '{"input":"+a"}' },
          ],
        },
        { role: "tool", name: "weather", toolCallId: "c1", content: [{ type: "text", text: "rain" }] },
        { role: "tool", name: "patch", toolCallId: "c2", content: [{ type: "text", text: "done" }] },
      ],
      tools: { choice: "required", callable: ["weather"], isParallel: false },
      reasoning: { effort: "low" },
      output: { type: "schema", isStrict: true },
      maxTokens: 9,
    })
  })

  test("can be counted without being run", async () => {
    const { post, engine } = fakeServer(calling)
    expect(await jsonOf(post("/v1/responses/input_tokens", CALL))).toEqual({
      object: "response.input_tokens",
      input_tokens: 3,
    })
    expect(engine.calls).toHaveLength(0)
  })

  test.each([
    [{ model: "tiny" }, "input is required"],
    [{ ...CALL, previous_response_id: "resp_1" }, "Previous response with id 'resp_1' not found"],
    [{ ...CALL, conversation: "conv_1" }, "conversation is not supported"],
    [{ ...CALL, prompt: { id: "p" } }, "prompt is not supported"],
    [{ ...CALL, background: true }, "background is not supported"],
    [{ ...CALL, input: [{ type: "item_reference", id: "x" }] }, "input[0].id 'x' is no item of a response"],
    [{ ...CALL, input: [{ role: "user", content: [{ type: "input_image" }] }] }, "image_url is required"],
    [{ ...CALL, tools: [{ type: "web_search" }], tool_choice: { type: "web_search" } }, "cannot be run here"],
    [{ ...CALL, input: [{ type: "function_call_output", call_id: "x", output: "" }] }, "is not the id"],
    [
      {
        ...CALL,
        text: {
          format: { type: "json_schema", schema: JSON.parse(`${'{"not":'.repeat(300)}{}${"}".repeat(300)}`) },
        },
      },
      "text.format.schema must be nested at most",
    ],
  ])("%j is refused", async (body, message) => {
    const { post } = fakeServer()
    const error = await errorOf(post("/v1/responses", body))
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining(message) })
  })
})

test("OpenAI's client reads the stream, and parses what it makes of it", async () => {
  const { app } = fakeServer(calling)
  const client = new OpenAI({
    baseURL: "http://localhost/v1",
    apiKey: "unused",
    fetch: async (url, init) => await app.handle(new Request(String(url), init)),
  })
  const stream = client.responses.stream({ model: "tiny", input: "Hi" })
  const texts: string[] = []
  stream.on("response.output_text.delta", ({ delta }) => texts.push(delta))
  const final = await stream.finalResponse()
  expect(texts.join("")).toBe("Let me see.")
  expect(final.output_text).toBe("Let me see.")
  expect(final.output.map(({ type }) => type)).toEqual([
    "reasoning",
    "message",
    "function_call",
    "function_call",
  ])
})
