import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import Anthropic, {
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
} from "@anthropic-ai/sdk"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"
import { OPEN_THINKING_TEMPLATE } from "../support/tool-templates"

let xllm: Installation
let server: InstalledServer
let client: Anthropic

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "tiny.gguf"))
  writeTinyModel(join(xllm.models, "tools.gguf"), { chatTemplate: OPEN_THINKING_TEMPLATE })
  server = await xllm.serve([], { environment: { XLLM_API_KEY: "secret" } })
  client = new Anthropic({ baseURL: server.url, apiKey: "secret", maxRetries: 0 })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

const CALL = {
  model: "tiny",
  max_tokens: 12,
  temperature: 0,
  messages: [{ role: "user" as const, content: "hello" }],
}

/** The client's promises do not start before they are used as such. */
async function failureOf(work: PromiseLike<unknown>): Promise<unknown> {
  try {
    await work
    return undefined
  } catch (error) {
    return error
  }
}

describe("Anthropic's client gets from the executable", () => {
  test("a message, and the same one again as a stream, from the cache", async () => {
    const whole = await client.messages.create(CALL)
    expect(whole).toMatchObject({ type: "message", role: "assistant", stop_reason: "max_tokens" })
    expect(whole.usage.output_tokens).toBe(12)
    const stream = client.messages.stream(CALL)
    const texts: string[] = []
    stream.on("text", (text) => texts.push(text))
    const final = await stream.finalMessage()
    expect<unknown>(final.content).toMatchObject(whole.content)
    expect(final.content).toMatchObject([{ type: "text", text: texts.join("") }])
    expect(final.usage.cache_read_input_tokens).toBeGreaterThan(0)
    expect(final.usage.output_tokens).toBe(12)
  })

  test("the number of a conversation's tokens", async () => {
    const { max_tokens: _, temperature: __, ...call } = CALL
    const counted = await client.messages.countTokens(call)
    const { usage } = await client.messages.create(CALL)
    expect(counted.input_tokens).toBe(usage.input_tokens + (usage.cache_read_input_tokens ?? 0))
  })

  test("JSON of a schema", async () => {
    const schema = {
      type: "object",
      properties: { ok: { type: "boolean" } },
      required: ["ok"],
      additionalProperties: false,
    }
    const { content } = await client.messages.create({
      ...CALL,
      max_tokens: 64,
      output_config: { format: { type: "json_schema", schema } },
    })
    const [block] = content
    if (block?.type !== "text") throw new Error("no text")
    expect(JSON.parse(block.text)).toEqual({ ok: expect.any(Boolean) })
  })

  test("calls of a tool over two turns, whole and as a stream", async () => {
    const properties = { city: { type: "string" as const, enum: ["Oslo", "Rome"] } }
    const call = {
      ...CALL,
      model: "tools",
      max_tokens: 100,
      tools: [{ name: "weather", input_schema: { type: "object" as const, properties, required: ["city"] } }],
    }
    const asked = { ...call, tool_choice: { type: "any" as const, disable_parallel_tool_use: true } }
    const whole = await client.messages.create(asked)
    expect(whole.stop_reason).toBe("tool_use")
    const use = whole.content.find(({ type }) => type === "tool_use")
    if (use?.type !== "tool_use") throw new Error("no call")
    expect(use.name).toBe("weather")
    expect(["Oslo", "Rome"]).toContain((use.input as { readonly city: string }).city)
    const streamed = await client.messages.stream(asked).finalMessage()
    expect(streamed.content.at(-1)).toMatchObject({ type: "tool_use", input: use.input })
    const result = { type: "tool_result" as const, tool_use_id: use.id, content: "rain", is_error: false }
    const { usage } = await client.messages.create({
      ...call,
      tool_choice: { type: "none" },
      max_tokens: 4,
      messages: [
        ...CALL.messages,
        { role: "assistant", content: whole.content },
        { role: "user", content: [result] },
      ],
    })
    expect(usage.output_tokens).toBe(4)
  })

  test("thinking with a signature, which it sends back", async () => {
    const call = {
      ...CALL,
      model: "tools",
      temperature: 1,
      max_tokens: 40,
      thinking: { type: "enabled" as const, budget_tokens: 8 },
    }
    const { content } = await client.messages.create(call)
    const [thought, text] = content
    if (thought?.type !== "thinking") throw new Error("no thinking")
    expect(thought.thinking).not.toBe("")
    expect(thought.signature).not.toBe("")
    expect(text?.type).toBe("text")
    const again = await client.messages.create({
      ...call,
      messages: [...CALL.messages, { role: "assistant", content }, { role: "user", content: "so" }],
    })
    expect(again.content[0]?.type).toBe("thinking")
  })

  test("models", async () => {
    const { data } = await client.models.list()
    expect(data.map(({ id }) => id).toSorted()).toEqual(["tiny", "tools"])
  })

  test("errors of its own classes", async () => {
    const wrong = new Anthropic({ baseURL: server.url, apiKey: "wrong", maxRetries: 0 })
    const refused = await failureOf(wrong.messages.create(CALL))
    expect(refused).toBeInstanceOf(AuthenticationError)
    expect(refused).toMatchObject({ requestID: expect.any(String) })
    expect(await failureOf(client.messages.create({ ...CALL, model: "none" }))).toBeInstanceOf(NotFoundError)
    const long = { ...CALL, messages: [{ role: "user" as const, content: "hello ".repeat(2000) }] }
    const failure = await failureOf(client.messages.create(long))
    expect(failure).toBeInstanceOf(BadRequestError)
    expect(String(failure)).toContain("prompt is too long")
  })

  test("the end of a stream that it aborts", async () => {
    const stream = client.messages.stream({ ...CALL, max_tokens: 400 })
    stream.once("streamEvent", () => stream.abort())
    expect(await failureOf(stream.finalMessage())).toBeInstanceOf(APIUserAbortError)
  })
})
