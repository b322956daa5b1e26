import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { ManagedEngine } from "../../../src/engine"
import { ImageFiles } from "../../../src/http/image-files/image-files"
import { Uploads } from "../../../src/http/read/body/uploads"
import { ResponseStore } from "../../../src/http/response-store/response-store"
import { type App, createApp } from "../../../src/http/server/app"
import { createLogger } from "../../../src/log/logger"
import { writeTinyModel } from "../../support/files/tiny-model"
import { tinyVocabulary } from "../../support/files/tiny-vocabulary"
import { untilAborted } from "../../support/fakes/fake-engine"
import { fakeServer, type Json, jsonOf, postRequest, readerOf } from "../../support/http"
import { realEngine } from "../../support/real/real-engine"
import { tempFolder } from "../../support/temp-folder"
import { HERMES_TEMPLATE, OPEN_THINKING_TEMPLATE } from "../../support/tool-templates"
import { type Adapter, ADAPTERS, type Asked, type Told } from "./adapters"

setDefaultTimeout(120_000)

const folder = tempFolder()
let engine: ManagedEngine
let app: App

/** The pairs of tokens that make a model write these, once it has come to the first. */
function chainOf(tokens: readonly string[]): [number, number][] {
  const { idOf } = tinyVocabulary({ size: 600, fim: false })
  const ids = tokens.map(idOf)
  return ids.slice(1).map((id, index) => [ids[index] ?? 0, id])
}

beforeAll(() => {
  const models = join(folder.path, "models")
  mkdirSync(models)
  writeTinyModel(join(models, "plain.gguf"))
  writeTinyModel(join(models, "caller.gguf"), {
    chatTemplate: HERMES_TEMPLATE,
    vocab: 600,
    chain: chainOf(["\n", "so", "<", "to", "ol", "_", "ca", "ll", ">"]),
  })
  writeTinyModel(join(models, "thinker.gguf"), {
    chatTemplate: OPEN_THINKING_TEMPLATE,
    vocab: 600,
    chain: chainOf([
      ...["\n", "M", "u", "<", "/", "t", "h", "i", "n", "k", ">"],
      ...["Y", "e", "s", "<|im_end|>"],
    ]),
  })
  const log = createLogger({ level: "off" })
  engine = realEngine(models, { settings: { contextLength: 512, slots: 4 } })
  app = createApp({
    engine,
    version: "1.2.3",
    startedAt: new Date(),
    uploads: new Uploads(join(folder.path, "uploads")),
    images: new ImageFiles({
      folder: join(folder.path, "images"),
      limits: () => ({ ttlSeconds: 1, maxBytes: null }),
    }),
    responses: new ResponseStore({
      path: join(folder.path, "responses.sqlite"),
      limits: () => ({ isEnabled: true, ttlSeconds: null, maxBytes: null }),
      log,
    }),
    log,
  })
})
afterAll(async () => {
  await engine.close()
  folder[Symbol.dispose]()
})

const post = (path: string, body: unknown): Promise<Response> => app.handle(postRequest(path, body))

const QUESTION = "How far is the moon?"

const CITY = { type: "object", properties: { city: { enum: ["Oslo", "Rome"] } }, required: ["city"] }
const WEATHER = { name: "weather", parameters: { ...CITY, additionalProperties: false } }

/** A request and the same prompt as text. */
async function asking(model: string, fields: Partial<Asked> = {}): Promise<Asked> {
  const rendered = await jsonOf(
    post("/v0/render", { model, messages: [{ role: "user", content: QUESTION }] }),
  )
  return {
    model,
    question: QUESTION,
    prompt: String(rendered["prompt"]),
    temperature: 0.9,
    maxTokens: 24,
    ...fields,
  }
}

/** The answer as a whole, which a stream must repeat. */
async function answerOf({ path, body, whole, streamed }: Adapter, asked: Asked): Promise<Told> {
  const response = await post(path, body(asked, false))
  expect({ path, status: response.status }).toEqual({ path, status: 200 })
  const told = whole(await jsonOf(response))
  expect(streamed(await (await post(path, body(asked, true))).text())).toEqual(told)
  return told
}

/** What all APIs answer, which must be the same. */
async function sameAnswer(adapters: readonly Adapter[], asked: Asked): Promise<Told> {
  const [first, ...others] = adapters
  if (first === undefined) throw new Error("there is no API")
  const told = await answerOf(first, asked)
  for (const adapter of others) {
    const other = await answerOf(adapter, asked)
    expect({ api: adapter.name, ...other }).toEqual({ api: adapter.name, ...told })
  }
  return told
}

const able = (feature: Adapter["can"][number]) => ADAPTERS.filter(({ can }) => can.includes(feature))

describe("every API gives the same answer, whole and streamed", () => {
  test("to a question with a seed", async () => {
    const told = await sameAnswer(ADAPTERS, await asking("plain"))
    expect(told).toMatchObject({ end: "length", tokens: 24, calls: [], thinking: "" })
    expect(told.text).not.toBe("")
  })

  test("up to a text that stops it", async () => {
    const asked = await asking("plain")
    const { text } = await sameAnswer(ADAPTERS.slice(0, 1), asked)
    const stop = text.slice(5, 8)
    const told = await sameAnswer(able("stop"), { ...asked, stop: [stop] })
    expect(told).toMatchObject({ text: text.slice(0, text.indexOf(stop)), end: "stop" })
  })

  test("within a schema", async () => {
    const told = await sameAnswer(ADAPTERS, await asking("plain", { schema: CITY, maxTokens: 100 }))
    expect(["Oslo", "Rome"]).toContain((JSON.parse(told.text) as { city: string }).city)
    expect(told.end).toBe("stop")
  })

  test("that must call a tool", async () => {
    const tools = { tools: [WEATHER], isForced: true, maxTokens: 100 }
    const told = await sameAnswer(able("forced"), await asking("caller", tools))
    expect(told.calls).toEqual([
      { name: "weather", arguments: { city: expect.stringMatching(/^(Oslo|Rome)$/) } },
    ])
    expect(told).toMatchObject({ text: "", end: "calls" })
  })

  test("that calls a tool of its own accord", async () => {
    const tools = { tools: [WEATHER], temperature: 0, maxTokens: 100 }
    const told = await sameAnswer(able("tools"), await asking("caller", tools))
    expect(told.calls).toMatchObject([{ name: "weather" }])
    expect(told).toMatchObject({ text: "so", end: "calls" })
  })

  test("after the same thought", async () => {
    const asked = await asking("thinker", { thinks: true, temperature: 0 })
    expect(await sameAnswer(able("thinking"), asked)).toMatchObject({
      thinking: "Mu",
      text: "Yes",
      end: "stop",
    })
  })

  test("without a thought where there must be none", async () => {
    const asked = await asking("thinker", { thinks: false, temperature: 0 })
    const told = await sameAnswer(able("thinking"), asked)
    expect(told.thinking).toBe("")
    expect(told.text).not.toBe("")
  })
})

describe.each(ADAPTERS.map((adapter) => [adapter.name, adapter] as const))("%s", (_, adapter) => {
  const { path, body, message, streamed } = adapter

  async function refusal(request: unknown): Promise<Json> {
    const response = await post(path, request)
    return { status: response.status, message: message(await jsonOf(response)) }
  }

  test("say that a model is not there", async () => {
    const asked = await asking("plain")
    for (const stream of [false, true])
      expect(await refusal(body({ ...asked, model: "none" }, stream))).toEqual({
        status: 404,
        message: expect.stringContaining("model 'none' not found"),
      })
  })

  test("name what is wrong with a body", async () => {
    const asked = await asking("plain")
    expect(await refusal("{")).toEqual({ status: 400, message: expect.stringContaining("JSON") })
    expect(await refusal("[]")).toEqual({ status: 400, message: expect.any(String) })
    const wrong = JSON.stringify(body(asked, true)).replace('"temperature":0.9', '"temperature":"hot"')
    expect(await refusal(wrong)).toEqual({
      status: 400,
      message: expect.stringMatching(/temperature must be/),
    })
  })

  test("refuse a prompt that is too long, with both lengths", async () => {
    const asked = await asking("plain")
    const long = "moon ".repeat(600)
    for (const stream of [false, true]) {
      const request = body({ ...asked, question: long, prompt: long }, stream)
      expect(await refusal(request)).toEqual({
        status: 400,
        message: expect.stringMatching(/\d{3,}.*\b512\b|\b512\b.*\d{3,}/),
      })
    }
  })

  test("end their streams, with an answer or an error, when the model is unloaded", async () => {
    const { maxTokens: _, ...asked } = await asking("plain")
    const response = await post(path, body(asked, true))
    const rest = response.text()
    await engine.stop("plain")
    const text = await rest
    expect(text).not.toBe("")
    if (!text.includes("stopping")) streamed(text)
    expect((await post(path, body(await asking("plain"), false))).status).toBe(200)
  })

  test("stop the work when their client leaves", async () => {
    const { app: other, engine: fake } = fakeServer(async function* (_request, signal) {
      yield { type: "prompt", tokens: 5 }
      yield { type: "part-start", choice: 0, part: "text" }
      yield { type: "delta", choice: 0, part: "text", text: "Hello", tokens: 1 }
      await untilAborted(signal)
    })
    const asked: Asked = { model: "tiny", question: QUESTION, prompt: QUESTION, temperature: 0 }
    const response = await other.handle(postRequest(path, body(asked, true)))
    const reader = readerOf(response)
    expect(await reader.next()).toBeString()
    await reader.cancel()
    await fake.calls[0]?.left
    expect(fake.calls[0]?.signal.aborted).toBe(true)
  })
})
