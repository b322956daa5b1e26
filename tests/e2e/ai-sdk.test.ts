import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { createAnthropic } from "@ai-sdk/anthropic"
import { createOpenAI } from "@ai-sdk/openai"
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { generateObject, generateText, type LanguageModel, stepCountIs, streamText, tool } from "ai"
import { createOllama } from "ollama-ai-provider-v2"
import { z } from "zod"
import { writeTinyModel } from "../support/files/tiny-model"
import { tinyVocabulary } from "../support/files/tiny-vocabulary"
import { Installation, type InstalledServer } from "../support/installation"
import { HERMES_TEMPLATE, THINKING_TEMPLATE } from "../support/tool-templates"

let xllm: Installation
let server: InstalledServer

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "tiny.gguf"), { chatTemplate: THINKING_TEMPLATE })
  const { idOf } = tinyVocabulary({ size: 600, fim: false })
  const opening = ["\n", "<", "to", "ol", "_", "ca", "ll", ">"].map(idOf)
  writeTinyModel(join(xllm.models, "caller.gguf"), {
    chatTemplate: HERMES_TEMPLATE,
    vocab: 600,
    chain: opening.slice(1).map((id, index) => [opening[index] ?? 0, id] as const),
  })
  server = await xllm.serve([], { loading: ["--ctx", "2048", "--slots", "4", "--gpu-layers", "0"] })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

/** Each speaks another of the server's APIs. */
const PROVIDERS: Readonly<Record<string, (url: string) => LanguageModel>> = {
  "@ai-sdk/openai": (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" })("tiny"),
  "@ai-sdk/openai's chats": (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" }).chat("tiny"),
  "@ai-sdk/openai-compatible": (url) =>
    createOpenAICompatible({ name: "xllm", baseURL: `${url}/v1`, supportsStructuredOutputs: true })("tiny"),
  "@ai-sdk/anthropic": (url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" })("tiny"),
  "ollama-ai-provider-v2": (url) => createOllama({ baseURL: `${url}/api` })("tiny"),
}

/** The AI SDK's options that reach a provider of Ollama's API under other names. */
const SHORT = {
  maxOutputTokens: 12,
  maxRetries: 0,
  providerOptions: { ollama: { options: { num_predict: 12 } } },
}
const LONG = {
  ...SHORT,
  maxOutputTokens: 200,
  providerOptions: { ollama: { options: { num_predict: 200 } } },
}

const Reply = z.object({ colour: z.enum(["red", "blue"]), count: z.number().int().min(0).max(9) })

function newWeather() {
  const asked: string[] = []
  const weather = tool({
    description: "The weather of a city",
    inputSchema: z.object({ city: z.enum(["Oslo", "Rome"]) }),
    execute: ({ city }) => {
      asked.push(city)
      return `rain in ${city}`
    },
  })
  return { asked, weather }
}

describe.each(Object.keys(PROVIDERS))("the AI SDK with %s", (name) => {
  const model = (): LanguageModel => PROVIDERS[name]?.(server.url) ?? ""

  test("generates a text, and streams one", async () => {
    const { text, finishReason, usage } = await generateText({ ...SHORT, model: model(), prompt: "hello" })
    expect(text).toMatch(/\S/)
    expect([finishReason, usage.outputTokens]).toEqual(["length", 12])
    const errors: unknown[] = []
    const { textStream } = streamText({
      ...SHORT,
      model: model(),
      prompt: "hello",
      onError: ({ error }) => void errors.push(error),
    })
    const pieces = await Array.fromAsync(textStream)
    expect(errors).toEqual([])
    expect(pieces.join("")).toMatch(/\S/)
  })

  test("generates an object", async () => {
    const { object } = await generateObject({ ...LONG, model: model(), prompt: "hello", schema: Reply })
    expect(Reply.safeParse(object).success).toBe(true)
  })
})

/** Those whose APIs can demand a call. */
const DEMANDING = Object.keys(PROVIDERS).filter((name) => !name.startsWith("ollama"))

test.each(DEMANDING)("the AI SDK with %s calls tools in a loop", async (name) => {
  const { asked, weather } = newWeather()
  const { steps } = await generateText({
    ...LONG,
    model: PROVIDERS[name]?.(server.url) ?? "",
    prompt: "hello",
    tools: { weather },
    stopWhen: stepCountIs(3),
    prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber < 2 ? "required" : "none" }),
  })
  expect(asked.length).toBeGreaterThanOrEqual(2)
  expect(steps.map(({ content }) => content[0]?.type)).toEqual(["tool-call", "tool-call", "text"])
})

/** Ollama's API has no way to demand a call: this model begins one by itself. */
test("the AI SDK with ollama-ai-provider-v2 calls tools that the model chooses", async () => {
  const { asked, weather } = newWeather()
  const { steps } = await generateText({
    ...LONG,
    providerOptions: { ollama: { options: { num_predict: 200, temperature: 0 } } },
    model: createOllama({ baseURL: `${server.url}/api` })("caller"),
    prompt: "hello",
    tools: { weather },
    stopWhen: stepCountIs(2),
  })
  expect(asked).toHaveLength(2)
  expect(steps.map(({ content }) => content.map(({ type }) => type))).toEqual([
    ["tool-call", "tool-result"],
    ["tool-call", "tool-result"],
  ])
})
