import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Ollama } from "ollama"
import { sha256 } from "../support/fakes/fake-hub"
import { FakeRegistry } from "../support/fakes/fake-registry"
import { tinyModelBytes } from "../support/fakes/pull-scene"
import { TINY_DIMENSIONS, writeTinyEmbedder } from "../support/files/tiny-embedder"
import { writeCaller, writeThinker } from "../support/files/chained-models"
import { writeTinyModel } from "../support/files/tiny-model"
import { Installation, type InstalledServer } from "../support/installation"
import { until } from "../support/until"

const TINY = tinyModelBytes()

let xllm: Installation
let registry: FakeRegistry
let server: InstalledServer
let ollama: Ollama

beforeAll(async () => {
  xllm = await Installation.create()
  mkdirSync(xllm.models, { recursive: true })
  writeTinyModel(join(xllm.models, "tiny.gguf"))
  writeTinyEmbedder(join(xllm.models, "bert.gguf"))
  writeCaller(join(xllm.models, "caller.gguf"))
  writeThinker(join(xllm.models, "thinker.gguf"))
  registry = await FakeRegistry.start()
  registry.publish("library/small:latest", { model: TINY, system: "Be brief." })
  server = await xllm.serve([], { environment: { XLLM_PULL_OLLAMA_REGISTRY: registry.url } })
  ollama = new Ollama({ host: server.url })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

const CHAT = { model: "tiny", messages: [{ role: "user", content: "hello" }] }
const GREEDY = { ...CHAT, options: { temperature: 0, num_predict: 12 } }

const namesOf = async () => (await ollama.list()).models.map(({ name }) => name)

describe("Ollama's client gets from the executable", () => {
  test("an answer, and the same one again as a stream", async () => {
    const whole = await ollama.chat({ ...GREEDY })
    expect(whole).toMatchObject({ model: "tiny", done: true, done_reason: "length", eval_count: 12 })
    let text = ""
    for await (const part of await ollama.chat({ ...GREEDY, stream: true })) text += part.message.content
    expect(text).toBe(whole.message.content)
  })

  test("a generation, whose context goes on", async () => {
    const options = { temperature: 0, num_predict: 4 }
    const first = await ollama.generate({ model: "tiny", prompt: "hello", options })
    expect(first.context.length).toBe(first.prompt_eval_count + 4)
    const { context } = first
    const second = await ollama.generate({ model: "tiny", prompt: "more", context, options })
    expect(second.prompt_eval_count).toBeGreaterThan(first.context.length)
    const raw = await ollama.generate({ model: "tiny", prompt: "hello", raw: true, options })
    expect(raw.prompt_eval_count).toBeLessThan(first.prompt_eval_count)
  })

  test("JSON of a schema", async () => {
    const format = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] }
    const { message } = await ollama.chat({ ...CHAT, format, options: { temperature: 0 } })
    expect(JSON.parse(message.content)).toEqual({ ok: expect.any(Boolean) })
  })

  test("calls of tools, whole and as a stream, and what follows their results", async () => {
    const parameters = {
      type: "object",
      properties: { city: { type: "string", enum: ["Oslo", "Rome"] } },
      required: ["city"],
    }
    const tools = [{ type: "function", function: { name: "weather", description: "of a city", parameters } }]
    const asked = { ...GREEDY, model: "caller", tools, options: { temperature: 0, num_predict: 100 } }
    const { message, done_reason } = await ollama.chat(asked)
    expect(done_reason).toBe("stop")
    const [call, ...others] = message.tool_calls ?? []
    expect(others).toEqual([])
    expect(call?.function).toMatchObject({
      name: "weather",
      arguments: { city: expect.stringMatching(/^(Oslo|Rome)$/) },
    })
    const streamed: object[] = []
    for await (const part of await ollama.chat({ ...asked, stream: true }))
      streamed.push(...(part.message.tool_calls ?? []).map((one) => one.function))
    expect(streamed).toMatchObject([call?.function ?? {}])
    const messages = [...CHAT.messages, message, { role: "tool", tool_name: "weather", content: "rain" }]
    const next = await ollama.chat({ ...asked, messages })
    expect(next.prompt_eval_count).toBeGreaterThan(20)
  })

  test("thoughts apart from the answer, where they are wanted", async () => {
    const asked = { ...GREEDY, model: "thinker", options: { temperature: 0, num_predict: 60 } }
    for (const think of [undefined, true, "high"] as const) {
      const { message } = await ollama.chat({ ...asked, ...(think !== undefined && { think }) })
      expect([message.thinking, message.content]).toEqual(["Mu", "Yes"])
    }
    let [thinking, content] = ["", ""]
    for await (const { message } of await ollama.chat({ ...asked, think: true, stream: true })) {
      thinking += message.thinking ?? ""
      content += message.content
    }
    expect([thinking, content]).toEqual(["Mu", "Yes"])
    expect((await ollama.chat({ ...asked, think: false })).message.thinking).toBeUndefined()
    const told = await ollama.generate({
      model: "thinker",
      prompt: "Hi",
      think: true,
      options: asked.options,
    })
    expect([told.thinking, told.response]).toEqual(["Mu", "Yes"])
    expect((await ollama.show({ model: "thinker" })).capabilities).toContain("thinking")
    await expect(ollama.chat({ ...GREEDY, think: true })).rejects.toThrow('"tiny" does not support thinking')
  })

  test("a prompt in the template that it sends", async () => {
    const options = { temperature: 0, num_predict: 4 }
    const template = "Q: {{ .Prompt }} A: {{ .Response }}"
    const given = await ollama.generate({ model: "tiny", prompt: "hello", template, options })
    const raw = await ollama.generate({ model: "tiny", prompt: "Q: hello A: ", raw: true, options })
    expect(given.response).toBe(raw.response)
    expect(given.prompt_eval_count).toBe(raw.prompt_eval_count)
  })

  test("several models that it loads at once, each one once", async () => {
    for (const model of ["tiny", "caller", "thinker"])
      await ollama.generate({ model, prompt: "", keep_alive: 0 })
    const load = (model: string) => ollama.generate({ model, prompt: "", keep_alive: "10m" })
    const loaded = await Promise.all(["tiny", "caller", "thinker", "tiny", "caller"].map(load))
    expect(loaded.map(({ done_reason }) => done_reason)).toEqual(Array(5).fill("load"))
    const names = (await ollama.ps()).models.map(({ name }) => name)
    expect(names.filter((name) => !name.startsWith("bert")).sort()).toEqual([
      "caller:latest",
      "thinker:latest",
      "tiny:latest",
    ])
  })

  test("vectors of texts", async () => {
    const { embeddings, ...rest } = await ollama.embed({ model: "bert", input: ["the cat", "a dog"] })
    expect(embeddings.map((vector) => vector.length)).toEqual([TINY_DIMENSIONS, TINY_DIMENSIONS])
    for (const vector of embeddings) expect(Math.hypot(...vector)).toBeCloseTo(1, 4)
    expect(rest).toMatchObject({ model: "bert", prompt_eval_count: expect.any(Number) })
    const older = await ollama.embeddings({ model: "bert", prompt: "the cat" })
    expect(older.embedding).toHaveLength(TINY_DIMENSIONS)
    for (const [at, value] of older.embedding.entries())
      expect(value).toBeCloseTo(embeddings[0]?.[at] ?? 0, 4)
    const long = "the cat ".repeat(600)
    expect((await ollama.embed({ model: "bert", input: long, dimensions: 8 })).embeddings[0]).toHaveLength(8)
    await expect(ollama.embed({ model: "bert", input: long, truncate: false })).rejects.toThrow(/tokens/)
  })

  test("the end of a stream that it aborts", async () => {
    const options = { temperature: 0, num_predict: -1, top_k: 1 }
    const stream = await ollama.chat({ ...CHAT, options: { ...options, stop: ["\u0000"] }, stream: true })
    const parts: string[] = []
    const reading = (async () => {
      for await (const part of stream) {
        parts.push(part.message.content)
        stream.abort()
      }
    })()
    await expect(reading).rejects.toThrow(/abort/i)
    expect(parts.length).toBeGreaterThan(0)
    await until(async () => {
      const health = (await (await server.get("/v0/health")).json()) as { queue: { running: number } }
      return health.queue.running === 0
    })
  })

  test("what is loaded, and that it is unloaded with a keep_alive of 0", async () => {
    await ollama.generate({ model: "tiny", prompt: "", stream: false })
    const tiny = async () => (await ollama.ps()).models.filter(({ name }) => name === "tiny:latest")
    expect(await tiny()).toMatchObject([{ context_length: 512 }])
    const gone = await ollama.generate({ model: "tiny", prompt: "", keep_alive: 0 })
    expect(gone.done_reason).toBe("unload")
    expect(await tiny()).toEqual([])
  })

  test("models and what they are", async () => {
    const tiny = (await ollama.list()).models.find(({ name }) => name === "tiny:latest")
    expect(tiny).toMatchObject({ model: "tiny:latest", details: { format: "gguf" } })
    const shown = await ollama.show({ model: "tiny" })
    expect(shown.capabilities).toContain("completion")
    expect(shown.modelfile).toContain("FROM tiny:latest")
    expect((await ollama.version()).version).toMatch(/^\d/)
  })

  test("errors in its words", async () => {
    await expect(ollama.chat({ ...CHAT, model: "none" })).rejects.toThrow("model 'none' not found")
    await expect(ollama.show({ model: "none" })).rejects.toThrow("not found")
    await expect(ollama.chat({ ...CHAT, options: { num_ctx: -1 } })).rejects.toThrow("options.num_ctx")
  })
})

describe("Ollama's client manages models", () => {
  test("and sees a pull's progress, which two can share", async () => {
    const pull = async (): Promise<readonly string[]> => {
      const statuses: string[] = []
      for await (const { status } of await ollama.pull({ model: "small", stream: true }))
        statuses.push(status)
      return statuses
    }
    const [one, other] = await Promise.all([pull(), pull()])
    expect(one[0]).toBe("pulling manifest")
    expect(one.at(-1)).toBe("success")
    expect(other.at(-1)).toBe("success")
    expect(await namesOf()).toContain("small:latest")
    expect((await xllm.run(["list"])).out).toContain("small:latest")
    const { message } = await ollama.chat({ ...GREEDY, model: "small" })
    expect(message.role).toBe("assistant")
  })

  test("and hears in the stream that a model does not exist", async () => {
    const read = async () => {
      for await (const part of await ollama.pull({ model: "nothing", stream: true })) void part
    }
    await expect(read()).rejects.toThrow("not found")
    await expect(ollama.pull({ model: "evil.example/a/b" })).rejects.toThrow("not enabled")
  })

  test("made from others, with texts and parameters", async () => {
    const made = await ollama.create({
      model: "mario",
      from: "tiny",
      system: "You are Mario.",
      parameters: { temperature: 0.5, stop: ["END"] },
      messages: [{ role: "user", content: "Who?" }],
      license: "MIT",
    })
    expect(made.status).toBe("success")
    const shown = await ollama.show({ model: "mario" })
    expect(shown).toMatchObject({ system: "You are Mario.", license: "MIT" })
    expect(shown.parameters).toMatch(/^temperature\s+0\.5$/m)
    expect(shown.messages).toEqual([{ role: "user", content: "Who?" }])
  })

  test("made from uploaded files, which are never paths", async () => {
    const digest = `sha256:${sha256(TINY)}`
    const url = `${server.url}/api/blobs/${digest}`
    expect((await fetch(url, { method: "HEAD" })).status).toBe(200)
    const other = Buffer.concat([TINY, Buffer.from("more")])
    const otherUrl = `${server.url}/api/blobs/sha256:${sha256(other)}`
    expect((await fetch(otherUrl, { method: "HEAD" })).status).toBe(404)
    expect((await fetch(otherUrl, { method: "POST", body: TINY })).status).toBe(400)
    expect((await fetch(otherUrl, { method: "HEAD" })).status).toBe(404)
    expect((await fetch(otherUrl, { method: "POST", body: other })).status).toBe(201)
    expect((await fetch(otherUrl, { method: "POST", body: other })).status).toBe(200)
    const create = (body: object) =>
      fetch(`${server.url}/api/create`, { method: "POST", body: JSON.stringify({ stream: false, ...body }) })
    const made = await create({ model: "uploaded", files: { "model.gguf": `sha256:${sha256(other)}` } })
    expect(await made.json()).toEqual({ status: "success" })
    expect(await namesOf()).toContain("uploaded:latest")
    for (const from of ["/etc/passwd", "../tiny.gguf", "~/x.gguf", "https://example.com/x.gguf"])
      expect((await create({ model: "evil", from })).status).toBe(400)
    const missing = await create({ model: "evil", files: { a: `sha256:${"0".repeat(64)}` } })
    expect(missing.ok).toBe(false)
    expect(await missing.text()).not.toContain(xllm.home)
  })

  test("copied and deleted", async () => {
    await ollama.copy({ source: "tiny", destination: "copy" })
    expect(await namesOf()).toContain("copy:latest")
    await ollama.delete({ model: "copy" })
    expect(await namesOf()).not.toContain("copy:latest")
    await expect(ollama.delete({ model: "copy" })).rejects.toThrow("model 'copy' not found")
    expect((await xllm.run(["list"])).out).not.toContain("copy")
  })
})
