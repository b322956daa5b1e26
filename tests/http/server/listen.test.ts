import { afterEach, describe, expect, spyOn, test } from "bun:test"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import OpenAI from "openai"
import { APIError, APIUserAbortError, BadRequestError, InternalServerError, NotFoundError } from "openai"
import type { GenerationEvent } from "../../../src/domain/chat"
import { CannotListen } from "../../../src/errors/cli"
import { WorkerCrashed } from "../../../src/errors/engine"
import { ModelNotFound } from "../../../src/errors/model"
import { QueueFull } from "../../../src/errors/request"
import { listen, type Listener } from "../../../src/http/server/listen"
import { BODY_BYTES } from "../../../src/limits"
import { answer, choiceEvents, done, type Script, token, untilAborted } from "../../support/fakes/fake-engine"
import { fakeServer } from "../../support/http"
import { tempFolder } from "../../support/temp-folder"
import { until } from "../../support/until"

const running: Listener[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((listener) => listener.close()))
})

/** A listening server over a scripted engine, and OpenAI's own client for it. */
async function serve(script?: Script) {
  const { app, engine } = fakeServer(script)
  const listener = await listen(app, { host: "127.0.0.1", port: 0 })
  running.push(listener)
  const client = new OpenAI({ baseURL: `${listener.url}/v1`, apiKey: "none", maxRetries: 0 })
  return { listener, engine, client }
}

const ASK = { model: "tiny", messages: [{ role: "user", content: "Hi" }] } as const
const CHAT = { ...ASK, messages: [...ASK.messages] }

async function* hesitant(_request: unknown, signal: AbortSignal): AsyncGenerator<GenerationEvent> {
  yield { type: "prompt", tokens: 1 }
  yield { type: "delta", choice: 0, part: "text", text: "Um", tokens: 1 }
  yield await untilAborted(signal)
}

test("any free port is taken and told", async () => {
  const { listener } = await serve()
  expect(listener.port).toBeGreaterThan(0)
  expect(listener.url).toBe(`http://127.0.0.1:${listener.port}`)
  const response = await fetch(listener.url)
  expect(response.headers.get("content-type")).toStartWith("text/plain")
  expect(await response.text()).toContain("is running")
  expect((await fetch(listener.url, { method: "HEAD" })).status).toBe(200)
})

test("a port that is in use is an error, not shared", async () => {
  const { listener } = await serve()
  const { app } = fakeServer()
  const again = () => listen(app, { host: "127.0.0.1", port: listener.port ?? 0 })
  await expect(again()).rejects.toThrow(CannotListen)
  await expect(again()).rejects.toThrow(
    `cannot listen on 127.0.0.1:${listener.port}: the port is already in use; --port chooses another`,
  )
})

describe("a socket", () => {
  test("is served, and its file is gone at the end", async () => {
    using folder = tempFolder()
    const unix = join(folder.path, "xllm.sock")
    const listener = await listen(fakeServer().app, { unix })
    expect(listener).toMatchObject({ port: undefined, url: `unix:${unix}` })
    expect(await (await fetch("http://localhost/", { unix })).text()).toContain("is running")
    await listener.close()
    expect(existsSync(unix)).toBe(false)
  })

  test("lets a slow answer take its time: Bun has no timeout for a single request there", async () => {
    using folder = tempFolder()
    const { app } = fakeServer()
    using asked = spyOn(app, "listen")
    running.push(await listen(app, { unix: join(folder.path, "xllm.sock") }))
    expect(asked.mock.calls[0]?.[0]).toMatchObject({ idleTimeout: 0 })
  })

  test("that an ended server has left is replaced", async () => {
    using folder = tempFolder()
    const unix = join(folder.path, "xllm.sock")
    const serve = `Bun.serve({ unix: ${JSON.stringify(unix)}, fetch: () => new Response("old") })`
    Bun.spawnSync([process.execPath, "-e", `${serve}; process.kill(process.pid, "SIGKILL")`])
    expect(existsSync(unix)).toBe(true)
    running.push(await listen(fakeServer().app, { unix }))
    expect(await (await fetch("http://localhost/", { unix })).text()).toContain("is running")
  })

  test("that a server listens on is not taken from it", async () => {
    using folder = tempFolder()
    const unix = join(folder.path, "xllm.sock")
    running.push(await listen(fakeServer().app, { unix }))
    const again = listen(fakeServer().app, { unix })
    expect(await again.catch((error: unknown) => error)).toMatchObject({
      code: "cannot_listen",
      message: `cannot listen on ${unix}: another server already listens there`,
    })
    expect((await fetch("http://localhost/", { unix })).status).toBe(200)
  })

  test("never takes the place of a file", async () => {
    using folder = tempFolder()
    const unix = join(folder.path, "notes.txt")
    writeFileSync(unix, "keep me")
    await expect(listen(fakeServer().app, { unix })).rejects.toThrow("the path exists and is not a socket")
    expect(readFileSync(unix, "utf8")).toBe("keep me")
  })

  test.each([
    ["missing/xllm.sock", "the folder does not exist"],
    ["x".repeat(200), "the path of a socket must have at most 107 bytes"],
  ])("cannot be at %p", async (path, reason) => {
    using folder = tempFolder()
    await expect(listen(fakeServer().app, { unix: join(folder.path, path) })).rejects.toThrow(reason)
  })
})

/** Sends bytes as they are and returns the answer. */
async function sendRaw(port: number, text: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  let received = ""
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_socket, bytes) {
        received += bytes.toString()
        const [head = "", body] = received.split("\r\n\r\n")
        const length = /^content-length: (\d+)/im.exec(head)?.[1]
        if (body !== undefined && body.length >= Number(length ?? 0)) resolve(received)
      },
      close: () => resolve(received),
    },
  })
  socket.write(text)
  const answer = await promise
  socket.end()
  return answer
}

describe("a request that a client put together by hand", () => {
  test.each([
    ["/v0/health/live", '{"status":"ok"}'],
    ["/v0/health/live?from=proxy", '{"status":"ok"}'],
    ["/", "is running"],
    ["/v1/models/tiny", '"id":"tiny"'],
  ])("finds %p over HTTP/1.0, which knows no Host: health checks of proxies speak it", async (path, text) => {
    const { listener } = await serve()
    const answer = await sendRaw(listener.port ?? 0, `GET ${path} HTTP/1.0\r\n\r\n`)
    expect(answer).toStartWith("HTTP/1.1 200 ")
    expect(answer).toContain(text)
  })

  test("over HTTP/1.0 is told of images where the server listens", async () => {
    const { listener } = await serve()
    const body = JSON.stringify({ prompt: "a cat" })
    const head = `POST /v1/images/generations HTTP/1.0\r\nContent-Type: application/json`
    const request = `${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    expect(await sendRaw(listener.port ?? 0, request)).toContain(`"url":"${listener.url}/images/`)
  })

  test("over HTTP/1.0 needs a key where there are any", async () => {
    const { app } = fakeServer(undefined, { settings: { apiKeys: ["secret"] } })
    const listener = await listen(app, { host: "127.0.0.1", port: 0 })
    running.push(listener)
    const statusOf = async (path: string, header = "") =>
      (await sendRaw(listener.port ?? 0, `GET ${path} HTTP/1.0\r\n${header}\r\n`)).slice(9, 12)
    expect(await statusOf("/v0/health/live")).toBe("200")
    expect(await statusOf("/v1/models")).toBe("401")
    expect(await statusOf("/v1/models", "Authorization: Bearer secret\r\n")).toBe("200")
  })

  test.each([
    "GET /nothing HTTP/1.0\r\nHost: a b\r\n\r\n",
    "GET //evil.example/v1/models HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
  ])("%p is refused for its Host, with an id", async (text) => {
    const { listener } = await serve()
    const answer = await sendRaw(listener.port ?? 0, text)
    expect(answer).toStartWith("HTTP/1.1 400 ")
    expect(answer).toMatch(/^x-request-id: \S/im)
  })

  test("reaches nothing without a key by the way it writes its path", async () => {
    const { app } = fakeServer(undefined, { settings: { apiKeys: ["secret"] } })
    const listener = await listen(app, { host: "127.0.0.1", port: 0 })
    running.push(listener)
    const paths = [
      "/v0/health/live#/../../../v1/models",
      "/v1/models/../../v0/ps",
      "/images/../v1/models",
      "/images/x/../../v1/models",
      "/images//v1/models",
      "/v0/health/live/%2e%2e/%2e%2e/ps",
      "/v0/health/live?/../../ps",
      "http://localhost/v0/ps",
    ]
    const statuses = await Promise.all(
      paths.map((path) => sendRaw(listener.port ?? 0, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)),
    )
    // An open one's query.
    const open = "/v0/health/live?/../../ps"
    expect(statuses.map((answer) => answer.slice(9, 12))).toEqual(
      paths.map((path) => (path === open ? "200" : "401")),
    )
  })
})

test("after close nobody answers", async () => {
  const { listener } = await serve()
  await listener.close()
  expect(await fetch(listener.url).catch((error: unknown) => error)).toBeInstanceOf(Error)
})

test("close cuts streams that are still running when its grace is over", async () => {
  const { listener, client, engine } = await serve(hesitant)
  const stream = await client.chat.completions.create({ ...CHAT, stream: true })
  const read = Array.fromAsync(stream).catch((error: unknown) => error)
  await listener.close(0)
  expect(await read).toBeInstanceOf(Error)
  await engine.calls[0]?.left
})

test.each([
  ["a path", { path: `/${"p".repeat(17_000)}`, headers: {} }],
  ["a query", { path: `/v0/health?${"q".repeat(17_000)}`, headers: {} }],
  ["a header", { path: "/v0/health", headers: { "x-request-id": "h".repeat(17_000) } }],
  [
    "headers",
    {
      path: "/v0/health",
      headers: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x-${i}`, "1"])),
    },
  ],
])(
  "a request with too much of %s is refused before it comes to a route",
  async (_what, { path, headers }) => {
    const { listener } = await serve()
    expect((await fetch(listener.url + path, { headers })).status).toBe(431)
    expect((await fetch(`${listener.url}/v0/health`)).status).toBe(200)
  },
)

test("a body above the limit is answered with our own 413", async () => {
  const { listener } = await serve()
  const body = new Uint8Array(BODY_BYTES.withMedia + 1)
  const headers = { "content-type": "application/json" }
  const response = await fetch(`${listener.url}/v1/chat/completions`, { method: "POST", headers, body })
  expect(response.status).toBe(413)
  expect(await response.json()).toMatchObject({ error: { code: "payload_too_large" } })
})

test("OpenAI's client gets a whole answer", async () => {
  const { client } = await serve()
  const completion = await client.chat.completions.create(CHAT)
  expect(completion.choices[0]?.message.content).toBe("Hello world")
  expect(completion.usage?.prompt_tokens_details?.cached_tokens).toBe(2)
})

test("OpenAI's client streams, with usage at the end", async () => {
  const { client } = await serve()
  const stream = await client.chat.completions.create({
    ...CHAT,
    stream: true,
    stream_options: { include_usage: true },
  })
  const chunks = await Array.fromAsync(stream)
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("Hello world")
  expect(chunks.at(-1)?.usage?.total_tokens).toBe(7)
})

test("OpenAI's stream helper puts several choices with log probabilities together", async () => {
  const { client } = await serve(async function* (): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 5 }
    for (const choice of [0, 1])
      yield* choiceEvents([`c${choice}`], { choice, logprobs: [[token("c", -0.25)]] })
    yield done(2)
  })
  const completion = await client.chat.completions
    .stream({ ...CHAT, n: 2, logprobs: true })
    .finalChatCompletion()
  expect(completion.choices.map(({ message }) => message.content)).toEqual(["c0", "c1"])
  expect(completion.choices[1]?.logprobs?.content?.[0]).toMatchObject({
    token: "c",
    logprob: -0.25,
    bytes: [99],
  })
})

test("OpenAI's client completes text, lists models and finds one", async () => {
  const { client, engine } = await serve(() => answer(["b"], { reason: "length" }))
  engine.models = ["org/tiny:x"]
  const completion = await client.completions.create({ model: "org/tiny:x", prompt: "a" })
  expect(completion.choices[0]).toMatchObject({ text: "b", finish_reason: "length" })
  const names = (await Array.fromAsync(client.models.list())).map(({ id }) => id)
  expect(names).toEqual(["org/tiny:x"])
  expect((await client.models.retrieve("org/tiny:x")).owned_by).toBe("xllm")
})

test("OpenAI's client stops a stream by its signal, and the engine is free", async () => {
  const { client, engine } = await serve(hesitant)
  const controller = new AbortController()
  const stream = await client.chat.completions.create(
    { ...CHAT, stream: true },
    { signal: controller.signal },
  )
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content === "Um") controller.abort()
  await engine.calls[0]?.left
  expect(engine.calls[0]?.signal.aborted).toBe(true)
})

test("a client that drops a whole answer's connection frees the engine as well", async () => {
  const started = Promise.withResolvers<void>()
  const { client, engine } = await serve(async function* (request, signal) {
    started.resolve()
    yield* hesitant(request, signal)
  })
  const controller = new AbortController()
  const failure = client.chat.completions
    .create(CHAT, { signal: controller.signal })
    .catch((error: unknown) => error)
  await started.promise
  controller.abort()
  expect(await failure).toBeInstanceOf(APIUserAbortError)
  await engine.calls[0]?.left
})

test("a client that keeps its connection and does not read frees the engine", async () => {
  const { listener, engine } = await serve(
    async function* (_request, signal): AsyncGenerator<GenerationEvent> {
      yield { type: "prompt", tokens: 1 }
      const text = "x".repeat(1024 ** 2)
      // More than systems keep for a client; nobody waits half a minute here.
      for (let count = 0; count < 100 && !signal.aborted; count++) {
        yield { type: "delta", choice: 0, part: "text", text, tokens: 1 }
      }
      yield await untilAborted(signal)
    },
  )
  const socket = connect(listener.port ?? 0, "127.0.0.1")
  socket.once("data", () => socket.pause())
  const closed = new Promise((resolve) => socket.on("error", () => {}).once("close", resolve))
  const body = JSON.stringify({ ...CHAT, stream: true })
  const head = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
  socket.write([...head, `Content-Length: ${body.length}`, "", body].join("\r\n"))
  await until(() => engine.calls.length > 0)
  await engine.calls[0]?.left
  expect(engine.calls[0]?.signal.reason).toMatchObject({ code: "client_stalled" })
  socket.resume()
  await closed
})

test("OpenAI's client sees each error as its own kind", async () => {
  const { client, engine } = await serve()
  const failure = () =>
    client.chat.completions.create(CHAT).then(
      () => undefined,
      (error: unknown) => error,
    )
  expect(
    await client.chat.completions.create({ ...CHAT, temperature: 9 }).catch((error: unknown) => error),
  ).toMatchObject({ status: 400, param: "temperature", code: "invalid_request_error" })
  engine.script = () => {
    throw new ModelNotFound("tiny")
  }
  expect(await failure()).toBeInstanceOf(NotFoundError)
  engine.script = () => {
    throw new QueueFull("tiny", 5, 9)
  }
  const full = await failure()
  expect(full).toBeInstanceOf(InternalServerError)
  expect(full instanceof APIError && full.headers?.get("retry-after")).toBe("9")
  const unsupported = await client.chat.completions
    .create({ ...CHAT, web_search_options: {} })
    .catch((e: unknown) => e)
  expect(unsupported).toBeInstanceOf(BadRequestError)
  expect(unsupported).toMatchObject({ code: "unsupported", param: "web_search_options" })
})

test("OpenAI's client throws where a stream fails in the middle", async () => {
  const { client } = await serve(async function* (): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 1 }
    yield { type: "delta", choice: 0, part: "text", text: "Hal", tokens: 1 }
    throw new WorkerCrashed("tiny", "was killed", [])
  })
  const stream = await client.chat.completions.create({ ...CHAT, stream: true })
  const seen: string[] = []
  const read = (async () => {
    for await (const chunk of stream) seen.push(chunk.choices[0]?.delta.content ?? "")
  })()
  expect(await read.catch((error: unknown) => error)).toMatchObject({ code: "worker_crashed" })
  expect(seen.join("")).toBe("Hal")
})
