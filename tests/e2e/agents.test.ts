import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import Anthropic from "@anthropic-ai/sdk"
import OpenAI from "openai"
import { CLAUDE_CODE_HEADERS, ClaudeCodeSession } from "../support/agents/claude-code"
import { CODEX_HEADERS, CodexSession } from "../support/agents/codex"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"
import { THINKING_TEMPLATE } from "../support/tool-templates"

setDefaultTimeout(120_000)

const TURNS = 10

/** Of the prompt of every turn but the first. */
const LEAST_CACHED = 0.95

let xllm: Installation
let server: InstalledServer

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "tiny.gguf"), {
    chatTemplate: THINKING_TEMPLATE,
    contextLength: 16_384,
  })
  server = await xllm.serve([], { loading: ["--ctx", "16384", "--slots", "2", "--gpu-layers", "0"] })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

test("a conversation as Claude Code leads it comes from the cache but for what is new", async () => {
  const client = new Anthropic({ baseURL: server.url, apiKey: "none", maxRetries: 0 })
  const session = new ClaudeCodeSession()
  const shares: number[] = []
  let calls = 0
  for (let turn = 0; turn < TURNS; turn++) {
    // What agents send goes beyond the types.
    const body = session.request(`step ${turn}`) as Anthropic.Beta.MessageCreateParams
    const options = { headers: CLAUDE_CODE_HEADERS }
    const message = await client.beta.messages.stream(body, options).finalMessage()
    const { input_tokens, cache_read_input_tokens } = message.usage
    const cached = cache_read_input_tokens ?? 0
    shares.push(cached / (cached + input_tokens))
    calls += message.content.filter(({ type }) => type === "tool_use").length
    session.answered(message)
  }
  expect(calls).toBe(TURNS / 2)
  expect(shares.slice(1).filter((share) => share < LEAST_CACHED)).toEqual([])
})

test("a conversation as Codex leads it comes from the cache but for what is new", async () => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 })
  const session = new CodexSession()
  const shares: number[] = []
  let calls = 0
  for (let turn = 0; turn < TURNS; turn++) {
    const body = session.request(`step ${turn}`) as OpenAI.Responses.ResponseCreateParamsStreaming
    const events = await Array.fromAsync(await client.responses.create(body, { headers: CODEX_HEADERS }))
    const last = events.at(-1)
    if (last?.type !== "response.completed" && last?.type !== "response.incomplete")
      throw new Error(`ended with ${last?.type}`)
    const { usage, output } = last.response
    shares.push((usage?.input_tokens_details.cached_tokens ?? 0) / (usage?.input_tokens ?? 1))
    calls += output.filter(({ type }) => type === "function_call").length
    session.answered(last.response)
  }
  expect(calls).toBe(TURNS / 2)
  expect(shares.slice(1).filter((share) => share < LEAST_CACHED)).toEqual([])
})
