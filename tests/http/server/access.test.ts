import { describe, expect, test } from "bun:test"
import { hostname } from "node:os"
import type { GenerationEvent } from "../../../src/domain/chat"
import { errorOf, fakeServer, USER_HI } from "../../support/http"

const CHAT = "/v1/chat/completions"
const JSON_TYPE = { "content-type": "application/json" }

type Server = ReturnType<typeof fakeServer>
type Send = (server: Server, headers: Readonly<Record<string, string>>) => Promise<Response>

const chat =
  (body: Readonly<Record<string, unknown>>): Send =>
  ({ post }, headers) =>
    post(CHAT, { messages: USER_HI, ...body }, { headers: { ...JSON_TYPE, ...headers } })

/** Every kind of reply: what holds for one must hold for all. */
const REPLIES: readonly (readonly [kind: string, status: number, send: Send])[] = [
  ["JSON", 200, chat({})],
  ["a stream", 200, chat({ stream: true })],
  ["an error", 400, chat({ temperature: 9 })],
  ["an unknown route", 404, ({ get }, headers) => get("/nothing", { headers: { ...headers } })],
  ["a wrong method", 405, ({ get }, headers) => get(CHAT, { headers: { ...headers } })],
  ["plain text", 200, ({ get }, headers) => get("/", { headers: { ...headers } })],
]

describe.each(REPLIES)("%s", (_kind, status, send) => {
  test("has the request's id", async () => {
    const response = await send(fakeServer(), { "x-request-id": "mine-1" })
    expect(response.status).toBe(status)
    expect(response.headers.get("x-request-id")).toBe("mine-1")
  })

  test("may be read by an allowed page, and by no other", async () => {
    const server = fakeServer(undefined, { settings: { corsOrigins: ["https://app.example"] } })
    const allowed = await send(server, { origin: "https://app.example" })
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://app.example")
    expect(allowed.headers.get("access-control-expose-headers")).toContain("x-request-id")
    expect(allowed.headers.get("vary")).toContain("Origin")
    const foreign = await send(server, { origin: "https://evil.example" })
    expect(foreign.headers.get("access-control-allow-origin")).toBeNull()
    expect(foreign.status).toBe(status)
  })

  test("is refused to a rebound name", async () => {
    const response = await send(fakeServer(), { host: "evil.example" })
    expect(await errorOf(response)).toMatchObject({ status: 403, code: "host_not_allowed" })
    expect(response.headers.get("x-request-id")).not.toBeNull()
  })

  test("needs a key where there are any, and the refusal can be read by a page", async () => {
    const server = fakeServer(undefined, { settings: { apiKeys: ["secret-1", "secret-2"] } })
    const refused = await send(server, { origin: "http://localhost:3000" })
    expect(refused.headers.get("www-authenticate")).toBe("Bearer")
    expect(refused.headers.get("access-control-allow-origin")).toBe("http://localhost:3000")
    expect(await errorOf(refused)).toMatchObject({ status: 401, code: "invalid_api_key" })
    expect((await send(server, { authorization: "Bearer secret-2" })).status).toBe(status)
  })
})

describe("the host", () => {
  const statusOf = async (host: string, allowedHosts: readonly string[] = []) =>
    (await fakeServer(undefined, { settings: { allowedHosts } }).get("/", { headers: { host } })).status

  test.each([
    "localhost",
    "LOCALHOST:32769",
    "localhost.",
    "tauri.localhost",
    "127.0.0.1:1",
    "192.168.1.5:32769",
    "[::1]",
    "[fe80::1]:80",
    "[fe80::1%25eth0]:80",
    "[fe80::1%eth0]",
    hostname(),
  ])("%p is ours", async (host) => {
    expect(await statusOf(host)).toBe(200)
  })

  test.each([
    "evil.example",
    "localhost.evil.example",
    "evillocalhost",
    "127.0.0.1.evil.example",
    "1.evil",
    "a.test",
  ])("%p is not", async (host) => {
    expect(await statusOf(host)).toBe(403)
  })

  test.each(["", "a b", "localhost, evil.example", "localhost:x", "user@localhost", "[::1", "localhost/x"])(
    "%p is none",
    async (host) => {
      expect(await statusOf(host)).toBe(400)
    },
  )

  test.each([
    ["llm.example", ["llm.example"], 200],
    ["LLM.Example:8080", ["llm.example"], 200],
    ["a.llm.example", ["llm.example"], 403],
    ["a.b.llm.example", ["*.llm.example"], 200],
    ["llm.example", ["*.llm.example"], 403],
    ["evilllm.example", ["*.llm.example"], 403],
    ["whatever.example", ["x.example", "*"], 200],
  ] as const)("%p with %p allowed answers %i", async (host, allowed, status) => {
    expect(await statusOf(host, allowed)).toBe(status)
  })
})

describe("an API key", () => {
  const settings = { apiKeys: ["secret-1"] }
  const statusOf = async (headers: Readonly<Record<string, string>>, path = "/v1/models") =>
    (await fakeServer(undefined, { settings }).get(path, { headers: { ...headers } })).status

  test.each([
    [{ authorization: "Bearer secret-1" }, 200],
    [{ authorization: "bearer  secret-1 " }, 200],
    [{ "x-api-key": "secret-1" }, 200],
    [{}, 401],
    [{ authorization: "Bearer secret-10" }, 401],
    [{ authorization: "Bearer secret-" }, 401],
    [{ authorization: "Bearer " }, 401],
    [{ authorization: "Basic secret-1" }, 401],
    [{ authorization: "secret-1" }, 401],
    [{ "x-api-key": "" }, 401],
    [{ authorization: "Bearer wrong", "x-api-key": "secret-1" }, 401],
    [{ authorization: "Bearer secret-1", "x-api-key": "wrong" }, 401],
    [{ authorization: "junk", "x-api-key": "secret-1" }, 401],
    [{ authorization: "secret-1", "x-api-key": "secret-1" }, 401],
    [{ authorization: "Basic dTpw", "x-api-key": "secret-1" }, 401],
    [{ authorization: "Bearer secret-1, Bearer secret-1" }, 401],
    [{ "x-api-key": "secret-1, secret-1" }, 401],
    [{ authorization: "Bearer secret-1", "x-api-key": "secret-1" }, 200],
    [{ authorization: "Bearer ", "x-api-key": "secret-1" }, 200],
    [{ authorization: "", "x-api-key": "secret-1" }, 200],
    [{ authorization: "Bearer secret-1", "x-api-key": "" }, 200],
  ])("%p answers %i", async (headers, status) => {
    expect(await statusOf(headers)).toBe(status)
  })

  test.each([
    ["/v0/health/live", 200],
    ["/v0/health/ready", 200],
    ["/v0/health", 401],
    ["/", 401],
    ["/v0/metrics", 401],
    ["/v0/health/live/../../ps", 401],
    ["/v0/health/ready/", 401],
  ])("is needed for %s: %i", async (path, status) => {
    expect(await statusOf({}, path)).toBe(status)
  })

  test("is not needed for metrics that are public", async () => {
    const { get } = fakeServer(undefined, { settings: { ...settings, metricsPublic: true } })
    // There are no metrics here, but what is not there is told to nobody who may not ask.
    expect((await get("/metrics")).status).toBe(404)
    expect((await get("/v0/metrics")).status).toBe(404)
    expect((await get("/v1/models")).status).toBe(401)
  })

  test("counts from the moment it is set, and no longer than that", async () => {
    const { get, change } = fakeServer()
    expect((await get("/v1/models")).status).toBe(200)
    change({ apiKeys: ["new"] })
    expect((await get("/v1/models")).status).toBe(401)
    change({ apiKeys: [] })
    expect((await get("/v1/models")).status).toBe(200)
  })

  test("that is missing is told apart from a wrong one", async () => {
    const messageOf = async (headers: Readonly<Record<string, string>>) =>
      (await errorOf(fakeServer(undefined, { settings }).get("/v1/models", { headers })))["message"]
    const missing = "an API key is required, as 'Authorization: Bearer KEY' or 'x-api-key: KEY'"
    expect(await messageOf({})).toBe(missing)
    expect(await messageOf({ authorization: "Bearer " })).toBe(missing)
    expect(await messageOf({ authorization: "junk", "x-api-key": "secret-1" })).toBe(
      "the API key is not one of the server's",
    )
  })

  test("is never written to the log", async () => {
    const { get, logged } = fakeServer(undefined, { settings, logLevel: "debug" })
    await get("/v1/models?key=secret-1", { headers: { authorization: "Bearer secret-1" } })
    expect(logged).toHaveLength(1)
    expect(logged[0]).not.toContain("secret-1")
  })
})

describe("web pages", () => {
  const allowedFor = async (origin: string, corsOrigins: readonly string[] = []) => {
    const { get } = fakeServer(undefined, { settings: { corsOrigins } })
    return (await get("/", { headers: { origin } })).headers.get("access-control-allow-origin")
  }

  test.each([
    "http://localhost:5173",
    "https://tauri.localhost",
    "http://[::1]:8080",
    "app://obsidian.md",
    "tauri://localhost",
    "vscode-webview://1abc",
    "file://",
  ])("of %s may read", async (origin) => {
    expect(await allowedFor(origin)).toBe(origin)
  })

  test.each(["null", "http://evil.example", "https://localhost.evil.example", "http://evil.example/app://x"])(
    "of %s may not",
    async (origin) => {
      expect(await allowedFor(origin)).toBeNull()
    },
  )

  test.each([
    ["https://a.example", ["https://a.example/"], true],
    ["http://a.example", ["https://a.example"], false],
    ["https://x.a.example", ["https://*.a.example"], true],
    ["https://evil.example/.a.example", ["https://*.a.example"], false],
    ["http://10.0.0.1:3000", ["http://10.0.0.1:*"], true],
    ["http://10a0.0.1:3000", ["http://10.0.0.1:*"], false],
    ["https://anything.example", ["*"], true],
  ])("%p with %p configured: %p", async (origin, origins, allowed) => {
    expect(await allowedFor(origin, origins)).toBe(allowed ? origin : null)
  })

  test("ask first without a key, and are told what they may send", async () => {
    const { get } = fakeServer(undefined, { settings: { apiKeys: ["secret"] } })
    const { status, headers } = await get(CHAT, {
      method: "OPTIONS",
      headers: { origin: "http://localhost:3000", "access-control-request-method": "POST" },
    })
    expect(status).toBe(200)
    for (const name of ["authorization", "x-api-key", "x-request-timeout", "content-type"]) {
      expect(headers.get("access-control-allow-headers")).toContain(name)
    }
    expect(headers.get("access-control-allow-credentials")).toBeNull()
  })
})

describe("a page's preflight", () => {
  const ask = async (origin: string, headers: string | undefined) => {
    const server = fakeServer(undefined, { settings: { corsOrigins: ["https://app.example"] } })
    const method = "access-control-request-method"
    const asked = headers === undefined ? {} : { "access-control-request-headers": headers }
    return server.get(CHAT, { method: "OPTIONS", headers: { origin, [method]: "POST", ...asked } })
  }

  test.each(["content-type,x-stainless-helper,x-stainless-new", "authorization", "openai-beta, x-my-own"])(
    "is allowed the headers that it asks for: %p",
    async (asked) => {
      const { headers } = await ask("https://app.example", asked)
      expect(headers.get("access-control-allow-headers")).toBe(asked)
      expect(headers.get("access-control-allow-methods")).toBe("GET, HEAD, POST, DELETE, OPTIONS")
      expect(headers.get("access-control-max-age")).toBe("600")
      expect(headers.get("vary")).toBe("Origin, Access-Control-Request-Headers")
    },
  )

  test("of a foreign page is allowed nothing", async () => {
    const { status, headers } = await ask("https://evil.example", "authorization")
    expect(status).toBe(200)
    expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([])
  })
})

test.each([
  ["/v1/models", "localhost", 200],
  ["/nothing", "localhost", 404],
  ["/v1/models", "evil.example", 403],
])("answers to programs say nothing about pages: %s of %s", async (path, host, code) => {
  const { status, headers } = await fakeServer().get(path, { headers: { host } })
  expect(status).toBe(code)
  expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([])
})

describe("what a page sends without asking first", () => {
  /** A browser's headers, and the type of the body. */
  const statusOf = async (headers: Readonly<Record<string, string>>, path = CHAT) => {
    const server = fakeServer(undefined, { settings: { corsOrigins: ["https://app.example"] } })
    const body = new TextEncoder().encode(JSON.stringify({ model: "tiny", messages: USER_HI }))
    return (await server.post(path, "", { body, headers: { "content-type": "text/plain", ...headers } }))
      .status
  }

  test.each([
    [{}, 200],
    [{ origin: "https://app.example" }, 200],
    [{ origin: "http://localhost:5173" }, 200],
    [{ origin: "http://192.168.1.5:32769", host: "192.168.1.5:32769" }, 200],
    [{ "sec-fetch-site": "same-origin" }, 200],
    [{ "sec-fetch-site": "none" }, 200],
    [{ origin: "https://evil.example" }, 403],
    [{ origin: "null" }, 403],
    [{ origin: "" }, 403],
    [{ origin: "https://evil.example", "sec-fetch-site": "same-origin" }, 403],
    [{ "sec-fetch-site": "cross-site" }, 403],
    [{ "sec-fetch-site": "same-site" }, 403],
  ])("with %p answers %i", async (headers, status) => {
    expect(await statusOf(headers)).toBe(status)
  })

  test.each(["/v1/completions", "/v1/audio/speech", "/v1/images/generations", "/v0/stop", "/v0/render"])(
    "does nothing at %s, whatever it is",
    async (path) => {
      expect(await statusOf({ origin: "https://evil.example" }, path)).toBe(403)
    },
  )

  test("is not the question of a page that may read everything: JSON is asked for first", async () => {
    const headers = { origin: "https://evil.example", "content-type": "application/json" }
    expect(await statusOf(headers)).toBe(200)
  })
})

describe("compression", () => {
  const long = "All work and no play. ".repeat(1000)
  async function* answerLong(): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 1 }
    yield { type: "delta", choice: 0, part: "text", text: long, tokens: 1 }
    yield { type: "finish", choice: 0, reason: "stop", completionTokens: 1 }
    const usage = { promptTokens: 1, completionTokens: 1, cachedTokens: 0 }
    const timings = {
      queueMs: 0,
      loadMs: 0,
      promptTokens: 1,
      promptMs: 1,
      generatedTokens: 1,
      generationMs: 0,
    }
    yield { type: "done", usage, timings }
  }
  const ask = (encoding: string | undefined, script = answerLong, body = {}) =>
    chat(body)(fakeServer(script), encoding === undefined ? {} : { "accept-encoding": encoding })

  test.each(["gzip", "deflate, GZIP;q=0.5, br", "*", "gzip;q=1.0"])(
    "%p gets a large answer small",
    async (encoding) => {
      const response = await ask(encoding)
      expect(response.headers.get("content-encoding")).toBe("gzip")
      expect(response.headers.get("content-type")).toStartWith("application/json")
      expect(response.headers.get("vary")).toContain("Accept-Encoding")
      const packed = new Uint8Array(await response.arrayBuffer())
      expect(packed.byteLength).toBeLessThan(long.length / 10)
      expect(new TextDecoder().decode(Bun.gunzipSync(packed))).toContain(long)
    },
  )

  test.each([undefined, "br", "gzip;q=0", "*, gzip;q=0.0", "identity"])(
    "%p gets it as it is, and caches know",
    async (encoding) => {
      const response = await ask(encoding)
      expect(response.headers.get("content-encoding")).toBeNull()
      expect(response.headers.get("vary")).toContain("Accept-Encoding")
      expect(await response.text()).toContain(long)
    },
  )

  test("leaves small answers alone, with their status and type", async () => {
    const headers = { "accept-encoding": "gzip" }
    const response = await fakeServer().get("/v1/nothing", { headers })
    expect(response.status).toBe(404)
    expect(response.headers.get("content-encoding")).toBeNull()
    expect(response.headers.get("content-type")).toStartWith("application/json")
    expect(await errorOf(response)).toMatchObject({ code: "not_found" })
  })

  test("never holds a stream", async () => {
    const response = await ask("gzip", answerLong, { stream: true })
    expect(response.headers.get("content-encoding")).toBeNull()
    expect(response.headers.get("content-type")).toStartWith("text/event-stream")
    expect(await response.text()).toContain(long)
  })
})

describe("cached prompts", () => {
  const ownerOf = async (settings: object, headers: Readonly<Record<string, string>>) => {
    const server = fakeServer(undefined, { settings: { apiKeys: ["secret-1", "secret-2"], ...settings } })
    expect((await chat({ cache_salt: "mine" })(server, headers)).status).toBe(200)
    const { cacheOwner, cacheSalt } = server.engine.lastRequest
    expect(cacheSalt).toBe("mine")
    return cacheOwner
  }

  test("belong to everybody, or to each key where that is set", async () => {
    const [one, other] = ["secret-1", "secret-2"].map((key) => ({ authorization: `Bearer ${key}` }))
    expect(await ownerOf({}, one ?? {})).toBeUndefined()
    const owner = await ownerOf({ cachePerKey: true }, one ?? {})
    expect(owner).toMatch(/^[0-9a-f]{64}$/)
    expect(await ownerOf({ cachePerKey: true }, { "x-api-key": "secret-1" })).toBe(owner)
    expect(await ownerOf({ cachePerKey: true }, other ?? {})).not.toBe(owner)
  })
})
