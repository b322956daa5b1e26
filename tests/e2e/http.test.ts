import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { writeTinyModel } from "../support/files/tiny-model"
import { errorOf } from "../support/http"
import { Installation, type InstalledServer } from "../support/installation"

const KEY = "secret-1"
const PAGE = "https://app.example"
const CHAT = "/v1/chat/completions"

let xllm: Installation
/** As it is without any settings. */
let open: InstalledServer
/** With a key, and for pages and hosts of its own. */
let guarded: InstalledServer

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyModel(join(xllm.models, "tiny.gguf"))
  const flags = ["--cors-origins", PAGE, "--allowed-hosts", "llm.example"]
  const environment = { XLLM_API_KEY: KEY }
  ;[open, guarded] = await Promise.all([xllm.serve(), xllm.serve(flags, { environment })])
})
afterAll(async () => {
  await Promise.all([open[Symbol.asyncDispose](), guarded[Symbol.asyncDispose]()])
  xllm[Symbol.dispose]()
})

type Headers = Readonly<Record<string, string>>
type Send = (server: InstalledServer, headers: Headers) => Promise<Response>

const chat =
  (body: object): Send =>
  (server, headers) =>
    server.chat({ model: "tiny", max_tokens: 3, ...body }, { headers })

/** Bytes that are declared as JSON. */
const send =
  (body: string | Uint8Array<ArrayBuffer>, type = "application/json"): Send =>
  (server, headers) =>
    server.get(CHAT, { method: "POST", body, headers: { "content-type": type, ...headers } })

const get =
  (path: string): Send =>
  (server, headers) =>
    server.get(path, { headers })

/** Every kind of reply; `code`: that of its error. */
const REPLIES: readonly (readonly [kind: string, status: number, code: string | undefined, send: Send])[] = [
  ["JSON", 200, undefined, chat({})],
  ["a stream", 200, undefined, chat({ stream: true })],
  ["plain text", 200, undefined, get("/")],
  ["metrics", 200, undefined, get("/metrics")],
  ["bad JSON", 400, "invalid_request_error", send('{"model": ')],
  ["JSON that is no object", 400, "invalid_request_error", send("[1]")],
  ["bytes that are no text", 400, "invalid_request_error", send(Uint8Array.of(0x22, 0xff, 0x22))],
  ["a form where JSON is read", 400, "invalid_request_error", send("{}", "multipart/form-data; boundary=x")],
  ["a wrong value", 400, "invalid_request_error", chat({ temperature: 9 })],
  ["something that is not there yet", 400, "unsupported", chat({ modalities: ["text", "audio"] })],
  ["an unknown model", 404, "model_not_found", chat({ model: "nope" })],
  ["a path for a model", 404, "model_not_found", chat({ model: "../models/tiny" })],
  ["an unknown route", 404, "not_found", get("/v1/nothing")],
  ["a wrong method", 405, "method_not_allowed", get(CHAT)],
  ["a body of 65 MB", 413, "payload_too_large", send(new Uint8Array(65 * 1024 ** 2))],
]

describe.each(REPLIES)("the executable's reply: %s", (_kind, status, code, ask) => {
  const authorization = `Bearer ${KEY}`

  test("has its status, its shape, and the request's id", async () => {
    const response = await ask(open, { "x-request-id": "mine-1" })
    expect(response.status).toBe(status)
    expect(response.headers.get("x-request-id")).toBe("mine-1")
    if (code === undefined) expect(await response.text()).not.toBe("")
    else expect(await errorOf(response)).toMatchObject({ code, message: expect.stringMatching(/\w/) })
  })

  test("may be read by a page on this machine or a configured one, and by no other", async () => {
    const readableBy = async (server: InstalledServer, origin: string) => {
      const response = await ask(server, { origin, authorization })
      await response.text()
      return response.headers.get("access-control-allow-origin")
    }
    expect(await readableBy(open, "http://localhost:5173")).toBe("http://localhost:5173")
    expect(await readableBy(open, PAGE)).toBeNull()
    expect(await readableBy(guarded, PAGE)).toBe(PAGE)
    expect(await readableBy(guarded, "https://evil.example")).toBeNull()
  })

  test("is refused to another host's name, and to whoever has no key", async () => {
    const host = await ask(guarded, { host: "evil.example", authorization })
    expect(await errorOf(host)).toMatchObject({ status: 403, code: "host_not_allowed" })
    const own = await ask(guarded, { host: "llm.example", authorization })
    expect(own.status).toBe(status)
    await own.text()
    expect(await errorOf(ask(guarded, {}))).toMatchObject({ status: 401, code: "invalid_api_key" })
    expect((await ask(guarded, { "x-api-key": KEY })).status).toBe(status)
  })
})

describe("the executable", () => {
  test("answers pages that ask first, without a key", async () => {
    const response = await guarded.get(CHAT, {
      method: "OPTIONS",
      headers: {
        origin: PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    })
    expect(response.status).toBe(200)
    expect(response.headers.get("access-control-allow-origin")).toBe(PAGE)
    expect(response.headers.get("access-control-allow-methods")).toContain("POST")
    expect(response.headers.get("access-control-allow-headers")).toContain("authorization")
  })

  test("tells an orchestrator how it is, without a key", async () => {
    for (const path of ["/v0/health/live", "/v0/health/ready"]) {
      const response = await guarded.get(path)
      expect([response.status, await response.json()]).toEqual([200, { status: "ok" }])
    }
    expect((await guarded.get("/v0/health")).status).toBe(401)
  })

  test("makes an id of its own for a request without one, or with one that it does not like", async () => {
    const ids = await Promise.all(
      [{}, {}, { "x-request-id": "x".repeat(1000) }].map(
        async (headers) => (await open.get("/", { headers })).headers.get("x-request-id") ?? "",
      ),
    )
    expect(new Set(ids).size).toBe(3)
    for (const id of ids) expect(id).toMatch(/^[\w-]{8,64}$/)
  })

  test("compresses a large answer for who accepts it, and nothing else", async () => {
    const body = { temperature: 0, max_tokens: 60, ignore_eos: true, logprobs: true, top_logprobs: 20 }
    const ask = (encoding: string) =>
      open.chat({ model: "tiny", ...body }, { headers: { "accept-encoding": encoding }, decompress: false })
    const [plain, packed] = [await ask("identity"), await ask("gzip")]
    expect(plain.headers.get("content-encoding")).toBeNull()
    expect(packed.headers.get("content-encoding")).toBe("gzip")
    const bytes = await packed.arrayBuffer()
    const text = new TextDecoder().decode(Bun.gunzipSync(bytes))
    expect(text.length).toBeGreaterThan(10 * 1024)
    expect(bytes.byteLength).toBeLessThan(text.length / 2)
    const answerOf = (reply: unknown) => (reply as { choices: [{ message: object }] }).choices[0].message
    expect(answerOf(JSON.parse(text))).toEqual(answerOf(await plain.json()))

    const small = await chat({})(open, { "accept-encoding": "gzip" })
    expect(small.headers.get("content-encoding")).toBeNull()
    const stream = await chat({ stream: true, logprobs: true, max_tokens: 200, ignore_eos: true })(open, {
      "accept-encoding": "gzip",
    })
    expect(stream.headers.get("content-encoding")).toBeNull()
    expect(stream.headers.get("content-type")).toStartWith("text/event-stream")
    expect((await stream.text()).length).toBeGreaterThan(10 * 1024)
  })

  test("reads a body of unknown length, and refuses it when it becomes too long", async () => {
    const streamOf = (head: string, megabytes: number) =>
      new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new TextEncoder().encode(head)),
        pull(controller) {
          if (megabytes-- > 0) controller.enqueue(new Uint8Array(1024 ** 2).fill(0x20))
          else controller.close()
        },
      })
    const ask = (megabytes: number) =>
      open.get(CHAT, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: streamOf(
          '{"model":"tiny","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}',
          megabytes,
        ),
      })
    expect((await ask(1)).status).toBe(200)
    expect(await errorOf(ask(65))).toMatchObject({ status: 413, code: "payload_too_large" })
  })

  test("tells the routes that it has, the machine, and what a request would become", async () => {
    const system = (await (await open.get("/v0/system")).json()) as object
    expect(system).toMatchObject({
      platform: process.platform,
      llama_version: expect.stringMatching(/^v?[\d.b-]+/),
      backends: expect.arrayContaining(["CPU"]),
    })
    const rendered = await open.post("/v0/render", { messages: [{ role: "user", content: "hi" }], seed: 3 })
    expect(await rendered.json()).toMatchObject({
      prompt: "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
      parameters: { seed: 3 },
    })
  })
})
