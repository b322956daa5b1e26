import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import type OpenAI from "openai"
import { APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError } from "openai"
import { zodResponsesFunction, zodTextFormat } from "openai/helpers/zod"
import type { ResponseInputItem, ResponseStreamEvent } from "openai/resources/responses/responses"
import { z } from "zod"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"
import { OPEN_THINKING_TEMPLATE, THINKING_TEMPLATE } from "../support/tool-templates"
import { until } from "../support/until"

const KEYS = { environment: { XLLM_API_KEYS: "mine,yours" } }

let xllm: Installation
let server: InstalledServer
let client: OpenAI

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "tiny.gguf"), { chatTemplate: THINKING_TEMPLATE })
  writeTinyModel(join(xllm.models, "thinker.gguf"), { chatTemplate: OPEN_THINKING_TEMPLATE })
  await start()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

async function start(): Promise<void> {
  const loading = ["--ctx", "2048", "--slots", "4", "--gpu-layers", "0"]
  server = await xllm.serve([], { ...KEYS, loading })
  client = server.client("mine")
}

const CALL = { model: "tiny", input: "hello", max_output_tokens: 12, temperature: 0 }

const failureOf = (work: PromiseLike<unknown>) =>
  Promise.resolve(work).then(
    () => undefined,
    (error: unknown) => error,
  )

const Weather = z.object({ city: z.enum(["Oslo", "Rome"]) })
const WEATHER = zodResponsesFunction({ name: "weather", description: "The weather", parameters: Weather })

describe("OpenAI's client of responses gets from the executable", () => {
  test("a response, and the same one again as a stream, from the cache", async () => {
    const whole = await client.responses.create(CALL)
    expect(whole).toMatchObject({ status: "incomplete", usage: { output_tokens: 12 } })
    const stream = client.responses.stream(CALL)
    const events: ResponseStreamEvent["type"][] = []
    stream.on("event", ({ type }) => events.push(type))
    const final = await stream.finalResponse()
    expect(final.output_text).toBe(whole.output_text)
    expect(final.output_text).not.toBe("")
    expect(final.usage?.input_tokens_details.cached_tokens).toBeGreaterThan(0)
    expect([events[0], events.at(-1)]).toEqual(["response.created", "response.incomplete"])
  })

  test("calls of a tool over two turns, as items and as what was kept", async () => {
    const asked = { ...CALL, max_output_tokens: 100, tools: [WEATHER] }
    const first = await client.responses.parse({ ...asked, tool_choice: "required" })
    const [call] = first.output
    if (call?.type !== "function_call") throw new Error("no call")
    expect(Weather.safeParse(call.parsed_arguments).success).toBe(true)
    const output = { type: "function_call_output" as const, call_id: call.call_id, output: "rain" }
    const input: ResponseInputItem[] = [{ role: "user", content: "hello" }, call, output]
    const answered = { ...asked, tool_choice: "none" as const, max_output_tokens: 4 }
    const byItems = await client.responses.create({ ...answered, input })
    const byId = await client.responses.create({
      ...answered,
      input: [output],
      previous_response_id: first.id,
    })
    expect(byId.output_text).toBe(byItems.output_text)
    expect(byId.usage?.input_tokens).toBe(byItems.usage?.input_tokens ?? 0)
  })

  test("thinking, as content or as a summary", async () => {
    const asked = { ...CALL, model: "thinker", include: ["reasoning.encrypted_content" as const] }
    const [whole, short] = await Promise.all([
      client.responses.create(asked),
      client.responses.create({ ...asked, reasoning: { effort: "low", summary: "auto" } }),
    ])
    const [thought] = whole.output
    const [summarized] = short.output
    if (thought?.type !== "reasoning" || summarized?.type !== "reasoning") throw new Error("no thinking")
    expect(thought.content?.[0]?.text).toMatch(/\S/)
    expect(summarized.summary[0]?.text).toBe(thought.content?.[0]?.text ?? "")
    const input: ResponseInputItem[] = [{ role: "user", content: "hello" }, summarized]
    const again = await client.responses.create({
      ...asked,
      input: [...input, { role: "user", content: "so" }],
    })
    expect(again.output[0]?.type).toBe("reasoning")
    const stream = client.responses.stream({ ...asked, reasoning: { summary: "auto" } })
    const texts: string[] = []
    stream.on("response.reasoning_summary_text.delta", ({ delta }) => texts.push(delta))
    await stream.finalResponse()
    expect(texts.join("")).toBe(summarized.summary[0]?.text ?? "")
  })

  test("JSON of a schema, which the client's helper parses", async () => {
    const Reply = z.object({ colour: z.enum(["red", "green"]), count: z.number().int().min(0).max(99) })
    const { output_parsed } = await client.responses.parse({
      ...CALL,
      max_output_tokens: 200,
      text: { format: zodTextFormat(Reply, "reply") },
    })
    expect(Reply.safeParse(output_parsed).success).toBe(true)
  })

  test("log probabilities", async () => {
    const { output } = await client.responses.create({
      ...CALL,
      include: ["message.output_text.logprobs"],
      top_logprobs: 2,
    })
    const [message] = output
    const [part] = message?.type === "message" ? message.content : []
    const logprobs = part?.type === "output_text" ? (part.logprobs ?? []) : []
    expect(logprobs.map(({ token }) => token).join("")).toBe(part?.type === "output_text" ? part.text : "")
    expect(logprobs.every(({ top_logprobs }) => top_logprobs.length === 2)).toBe(true)
  })

  test("what was kept, after a restart too, but not with another key", async () => {
    const first = await client.responses.create({ ...CALL, instructions: "Be brief." })
    const second = await client.responses.create({ ...CALL, input: "and", previous_response_id: first.id })
    await server.stop()
    await start()
    const third = await client.responses.create({ ...CALL, input: "so", previous_response_id: second.id })
    expect(third.previous_response_id).toBe(second.id)
    expect(third.usage?.input_tokens).toBeGreaterThan(second.usage?.input_tokens ?? Infinity)
    expect((await client.responses.retrieve(second.id)).output_text).toBe(second.output_text)
    const items = await Array.fromAsync(
      client.responses.inputItems.list(third.id, { limit: 2, order: "asc" }),
    )
    const roles = items.map((item) => (item.type === "message" ? item.role : "other"))
    expect(roles).toEqual(["user", "assistant", "user", "assistant", "user"])
    const other = server.client("yours")
    expect(await failureOf(other.responses.retrieve(second.id))).toBeInstanceOf(NotFoundError)
    await client.responses.delete(second.id)
    expect(await failureOf(client.responses.retrieve(second.id))).toBeInstanceOf(NotFoundError)
    const failure = await failureOf(client.responses.create({ ...CALL, previous_response_id: third.id }))
    expect(failure).toBeInstanceOf(BadRequestError)
    expect(await failureOf(client.responses.cancel(first.id))).toBeInstanceOf(BadRequestError)
  })

  test("the number of its input's tokens", async () => {
    const { input_tokens } = await client.responses.inputTokens.count({ model: "tiny", input: "hello" })
    expect(input_tokens).toBe((await client.responses.create(CALL)).usage?.input_tokens ?? 0)
  })

  test("errors of its own classes", async () => {
    expect(await failureOf(server.client("wrong").responses.create(CALL))).toBeInstanceOf(AuthenticationError)
    expect(await failureOf(client.responses.create({ ...CALL, model: "none" }))).toBeInstanceOf(NotFoundError)
    const unknown = await failureOf(client.responses.create({ ...CALL, previous_response_id: "resp_x" }))
    expect(unknown).toMatchObject({ code: "previous_response_not_found", param: "previous_response_id" })
    const long = await failureOf(client.responses.create({ ...CALL, input: "hello ".repeat(3000) }))
    expect(long).toMatchObject({ status: 400, code: "context_length_exceeded" })
    const input: ResponseInputItem[] = [
      { role: "user", content: "hello ".repeat(3000) },
      { role: "assistant", content: "what" },
      { role: "user", content: "hello" },
    ]
    const cut = await client.responses.create({ ...CALL, truncation: "auto", input })
    expect(cut).toMatchObject({ warnings: ["the oldest 2 messages were dropped to fit the context"] })
  })

  test("the end of a stream that it aborts", async () => {
    const stream = client.responses.stream({ ...CALL, max_output_tokens: 1500, ...{ ignore_eos: true } })
    stream.on("response.output_text.delta", () => stream.abort())
    expect(await failureOf(stream.finalResponse())).toBeInstanceOf(APIUserAbortError)
    await until(async () => {
      const response = await server.get("/v0/ps", { headers: { authorization: "Bearer mine" } })
      const { models } = (await response.json()) as { models: { active_requests: number }[] }
      return models.every(({ active_requests }) => active_requests === 0)
    })
  })

  test("an answer to a request that is compressed", async () => {
    const body = JSON.stringify(CALL)
    const [gzip, zstd] = [Bun.gzipSync(body), Bun.zstdCompressSync(body)]
    for (const [encoding, bytes] of [["gzip", gzip] as const, ["zstd", zstd] as const]) {
      const headers = { authorization: "Bearer mine", "content-encoding": encoding }
      const response = await server.get("/v1/responses", { method: "POST", body: bytes, headers })
      expect([encoding, response.status]).toEqual([encoding, 200])
    }
  })
})
