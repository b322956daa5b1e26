import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import OpenAI from "openai"
import { zodResponseFormat } from "openai/helpers/zod"
import { z } from "zod"
import {
  APIConnectionError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
} from "openai"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"
import { until } from "../support/until"

let xllm: Installation
let server: InstalledServer
let client: OpenAI

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "tiny.gguf"))
  server = await xllm.serve([], { environment: { XLLM_API_KEY: "secret" } })
  client = server.client("secret")
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

const CHAT = { model: "tiny", messages: [{ role: "user" as const, content: "hello" }] }
const GREEDY = { ...CHAT, temperature: 0 }
/** As long as the context allows. llama.cpp's servers know the field, OpenAI's API does not. */
const ENDLESS = { ...GREEDY, ignore_eos: true }

async function activeRequests(): Promise<number> {
  const response = await server.get("/v0/ps", { headers: { authorization: "Bearer secret" } })
  const { models } = (await response.json()) as { models: { active_requests: number }[] }
  return models.reduce((sum, { active_requests }) => sum + active_requests, 0)
}

describe("OpenAI's client gets from the executable", () => {
  test("an answer, and the same one again as a stream, with its usage", async () => {
    const whole = await client.chat.completions.create({ ...GREEDY, max_tokens: 12 })
    expect(whole.choices).toHaveLength(1)
    expect(whole.choices[0]?.finish_reason).toBe("length")
    expect(whole.usage?.completion_tokens).toBe(12)
    let text = ""
    let usage: OpenAI.CompletionUsage | null | undefined
    const stream = await client.chat.completions.create({
      ...GREEDY,
      max_tokens: 12,
      stream: true,
      stream_options: { include_usage: true },
    })
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ""
      usage = chunk.usage ?? usage
    }
    expect(text).toBe(whole.choices[0]?.message.content ?? "")
    expect(usage).toMatchObject({
      prompt_tokens: whole.usage?.prompt_tokens,
      completion_tokens: 12,
      total_tokens: (whole.usage?.prompt_tokens ?? 0) + 12,
    })
    expect(usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(0)
  })

  test("several choices, which differ, also across a stream", async () => {
    const request = { ...CHAT, n: 3, seed: 7, temperature: 1, max_tokens: 8 }
    const { choices } = await client.chat.completions.create(request)
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(new Set(choices.map(({ message }) => message.content)).size).toBe(3)
    const texts = ["", "", ""]
    const reasons: (string | null)[] = []
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
      for (const { index, delta, finish_reason } of chunk.choices) {
        texts[index] += delta.content ?? ""
        if (finish_reason !== null) reasons.push(finish_reason)
      }
    }
    expect(new Set(texts).size).toBe(3)
    expect(reasons).toEqual(["length", "length", "length"])
  })

  test("log probabilities of every token, which are of the text", async () => {
    const { choices } = await client.chat.completions.create({
      ...GREEDY,
      max_tokens: 6,
      logprobs: true,
      top_logprobs: 4,
    })
    const tokens = choices[0]?.logprobs?.content ?? []
    expect(tokens).toHaveLength(6)
    expect(tokens.map(({ token }) => token).join("")).toBe(choices[0]?.message.content ?? "")
    for (const { token, logprob, top_logprobs } of tokens) {
      expect(logprob).toBeLessThanOrEqual(0)
      // The greedy choice is the likeliest.
      expect(top_logprobs).toHaveLength(4)
      expect(top_logprobs[0]).toMatchObject({ token, logprob })
      const likelihood = top_logprobs.reduce((sum, top) => sum + Math.exp(top.logprob), 0)
      expect(likelihood).toBeLessThanOrEqual(1.000_01)
    }
  })

  test("log probabilities across a stream", async () => {
    let text = ""
    let told = ""
    const request = { ...GREEDY, max_tokens: 6, logprobs: true, stream: true } as const
    for await (const { choices } of await client.chat.completions.create(request)) {
      text += choices[0]?.delta.content ?? ""
      told += (choices[0]?.logprobs?.content ?? []).map(({ token }) => token).join("")
    }
    expect(text).not.toBe("")
    expect(told).toBe(text)
  })

  test("completions, of several prompts and with an echo", async () => {
    const { choices, usage } = await client.completions.create({
      model: "tiny",
      prompt: ["one", "two"],
      max_tokens: 3,
      temperature: 0,
      echo: true,
    })
    expect(choices.map(({ index }) => index)).toEqual([0, 1])
    expect(choices.map(({ text }) => text.slice(0, 3))).toEqual(["one", "two"])
    expect(usage?.completion_tokens).toBe(6)
  })

  test("the list of models, with the context that is served", async () => {
    const { data } = await client.models.list()
    expect(data).toMatchObject([{ id: "tiny", max_model_len: 512, max_context_length: 4096 }])
    expect(await client.models.retrieve("tiny")).toMatchObject({ object: "model", meta: { n_ctx: 512 } })
  })

  test("an answer that ends at a token of its choice, with the ids of all tokens", async () => {
    // Fields of other servers, which the client passes on.
    const asked = { ...GREEDY, max_tokens: 12, return_tokens: true }
    const tokensOf = (choice: object | undefined) => (choice as { readonly tokens: readonly number[] }).tokens
    const whole = tokensOf((await client.chat.completions.create(asked)).choices[0])
    expect(whole).toHaveLength(12)
    const [stop = -1] = whole.slice(4)
    const { choices, usage } = await client.chat.completions.create({
      ...asked,
      ...{ stop_token_ids: [stop] },
    })
    expect(tokensOf(choices[0])).toEqual(whole.slice(0, whole.indexOf(stop) + 1))
    expect(choices[0]?.finish_reason).toBe("stop")
    expect(usage?.completion_tokens).toBe(whole.indexOf(stop) + 1)
  })

  test("the same answer for the same seed of 64 bits", async () => {
    const asked = { ...CHAT, temperature: 1, max_tokens: 8, seed: 2 ** 63 }
    const [first, second] = [
      await client.chat.completions.create(asked),
      await client.chat.completions.create(asked),
    ]
    expect(first.choices[0]?.message.content).toBe(second.choices[0]?.message.content ?? "")
  })

  test("an answer without tools where none may be called", async () => {
    const tools = [{ type: "function" as const, function: { name: "f", parameters: {} } }]
    const request = { ...GREEDY, max_tokens: 4 }
    const plain = await client.chat.completions.create(request)
    const { usage } = await client.chat.completions.create({ ...request, tools, tool_choice: "none" })
    expect(usage?.prompt_tokens).toBe(plain.usage?.prompt_tokens ?? 0)
  })

  test("how much of a prompt has been read, before and after its steps", async () => {
    const messages = [{ role: "user" as const, content: "word ".repeat(150) }]
    const request = {
      model: "tiny",
      messages,
      max_tokens: 2,
      stream: true as const,
      ...{ return_progress: true },
    }
    const processed: number[] = []
    let total = 0
    for await (const chunk of await client.chat.completions.create(request)) {
      const { prompt_progress } = chunk as { readonly prompt_progress?: { total: number; processed: number } }
      if (prompt_progress === undefined) continue
      processed.push(prompt_progress.processed)
      total = prompt_progress.total
    }
    expect(processed[0]).toBeLessThan(total)
    expect(processed.at(-1)).toBe(total)
  })

  test("the id of its request", async () => {
    const { request_id } = await client.models.list().withResponse()
    expect(request_id).toMatch(/^\S{8,}$/)
  })
})

describe("a client that gives up", () => {
  test("in the middle of a stream frees its place", async () => {
    const controller = new AbortController()
    const stream = await client.chat.completions.create(
      { ...ENDLESS, stream: true },
      { signal: controller.signal },
    )
    let chunks = 0
    for await (const _ of stream) if (++chunks === 3) controller.abort()
    expect(chunks).toBeGreaterThanOrEqual(3)
    await until(async () => (await activeRequests()) === 0)
  })

  test("while it waits for a whole answer frees its place", async () => {
    const controller = new AbortController()
    const asked = client.chat.completions.create(ENDLESS, { signal: controller.signal })
    const failure = asked.catch((error: unknown) => error)
    await until(async () => (await activeRequests()) > 0)
    controller.abort()
    expect(await failure).toBeInstanceOf(APIUserAbortError)
    await until(async () => (await activeRequests()) === 0)
  })
})

describe("OpenAI's client throws its own error for", () => {
  const failureOf = (asked: Promise<unknown>) => asked.catch((error: unknown) => error)
  const chatFailure = (change: object) =>
    failureOf(client.chat.completions.create({ ...GREEDY, ...change, stream: false }))

  test("an answer of a schema, which the client's helper parses", async () => {
    const Reply = z.object({
      colour: z.enum(["red", "green", "blue"]),
      count: z.number().int().min(0).max(99),
      notes: z.array(z.object({ isTrue: z.boolean(), next: z.string().max(5).nullable() })).max(2),
    })
    const { choices } = await client.chat.completions.parse({
      ...CHAT,
      temperature: 1,
      seed: 7,
      max_tokens: 400,
      response_format: zodResponseFormat(Reply, "reply"),
    })
    expect(Reply.safeParse(choices[0]?.message.parsed).success).toBe(true)
  })

  test("a wrong key", async () => {
    const failure = await failureOf(server.client("wrong").models.list())
    expect(failure).toBeInstanceOf(AuthenticationError)
    expect(failure).toMatchObject({ status: 401, code: "invalid_api_key" })
  })

  test("a model that is not there", async () => {
    const failure = await chatFailure({ model: "nope" })
    expect(failure).toBeInstanceOf(NotFoundError)
    expect(failure).toMatchObject({ status: 404, code: "model_not_found", param: "model" })
  })

  test.each([
    [{ temperature: 9 }, "invalid_request_error", "temperature"],
    [{ max_tokens: "many" }, "invalid_request_error", "max_tokens"],
    [
      { tools: [{ type: "function", function: { name: "f()" } }] },
      "invalid_request_error",
      "tools[0].function.name",
    ],
    [{ tool_choice: "required" }, "invalid_request_error", "tool_choice"],
    [{ response_format: { type: "xml" } }, "invalid_request_error", "response_format.type"],
    [{ bad_words: ["x"] }, "unsupported", "bad_words"],
    [{ messages: [{ role: "user", content: "x ".repeat(2000) }] }, "context_length_exceeded", "messages"],
  ])("%#: a bad request, and names the field", async (change, code, param) => {
    const failure = await chatFailure(change)
    expect(failure).toBeInstanceOf(BadRequestError)
    expect(failure).toMatchObject({ status: 400, code, param })
  })

  test("a request that failed before its stream began", async () => {
    const failure = await failureOf(
      client.chat.completions.create({ ...GREEDY, model: "nope", stream: true }),
    )
    expect(failure).toBeInstanceOf(APIError)
    expect(failure).not.toBeInstanceOf(APIConnectionError)
  })
})
