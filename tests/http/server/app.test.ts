import { describe, expect, test } from "bun:test"
import { availableParallelism, cpus } from "node:os"
import { ModelLoadFailed } from "../../../src/errors/model"
import { ContextLengthExceeded } from "../../../src/errors/request"
import { BODY_BYTES } from "../../../src/limits"
import { IMAGE_MODEL, LOADED_TINY, RECOGNIZER_MODEL, VOICE_MODEL } from "../../support/fakes/fake-engine"
import { errorOf, fakeServer, jsonOf, USER_HI } from "../../support/http"

const CHAT = "/v1/chat/completions"
const JSON_TYPE = { "content-type": "application/json" }

describe("a body that is not a JSON object", () => {
  test.each([
    ["", "the request body is empty; it must be a JSON object"],
    [" \n ", "the request body is empty; it must be a JSON object"],
    ["[1]", "the request body must be a JSON object, got an array"],
    ['"text"', "the request body must be a JSON object, got a string"],
    ["null", "the request body must be a JSON object, got null"],
  ])("%j is refused", async (body, message) => {
    expect(await errorOf(fakeServer().post(CHAT, body))).toEqual({
      ...{ status: 400, message, type: "invalid_request_error", param: null, code: "invalid_request_error" },
    })
  })

  test.each(["{", '{"a":NaN}', "{'a':1}", "[".repeat(200_000), '{"a":'.repeat(200_000)])(
    "%p is refused",
    async (body) => {
      const error = await errorOf(fakeServer().post(CHAT, body))
      expect(error).toMatchObject({ status: 400, code: "invalid_request_error" })
      expect(error["message"]).toStartWith("the request body is not valid JSON: ")
    },
  )

  test("with bytes that are not UTF-8 is refused", async () => {
    const body = new Uint8Array([0x7b, 0xff, 0x7d])
    const response = fakeServer().post(CHAT, "", { body })
    expect(await errorOf(response)).toMatchObject({
      status: 400,
      message: "the request body is not valid UTF-8",
    })
  })

  test("values that are nested deeply and that nobody asks for do no harm", async () => {
    const deep = "[".repeat(5_000) + "]".repeat(5_000)
    const body = `{"messages":[{"role":"user","content":"Hi"}],"unknown":${deep}}`
    expect((await fakeServer().post(CHAT, body)).status).toBe(200)
  })

  test("numbers too large for a double are out of every range", async () => {
    const body = `{"messages":[{"role":"user","content":"Hi"}],"temperature":1e999}`
    expect(await errorOf(fakeServer().post(CHAT, body))).toMatchObject({
      message: "temperature must be between 0 and 2, got Infinity",
    })
  })
})

describe("the content type", () => {
  const body = JSON.stringify({ messages: USER_HI })

  // Bytes, because a text would bring its own content type.
  const ask = (type: string | undefined, headers: Record<string, string> = {}) =>
    fakeServer().post(CHAT, "", {
      body: new TextEncoder().encode(body),
      headers: { ...headers, ...(type !== undefined && { "content-type": type }) },
    })

  test.each([undefined, "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", ""])(
    "%p is taken from programs, which need not declare what they send",
    async (type) => {
      expect((await ask(type)).status).toBe(200)
    },
  )

  test.each([undefined, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])(
    "%p is refused from foreign pages, which may send it unasked",
    async (type) => {
      expect(await errorOf(ask(type, { origin: "https://evil.example" }))).toMatchObject({
        ...{ status: 403, code: "origin_not_allowed" },
      })
    },
  )

  test("of a form is refused: no client means it", async () => {
    expect(await errorOf(ask("multipart/form-data; boundary=x"))).toMatchObject({
      status: 400,
      message: "the Content-Type must be application/json, got 'multipart/form-data; boundary=x'",
    })
  })

  test.each(["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"])(
    "%p is taken",
    async (type) => {
      const response = await fakeServer().post(CHAT, body, { headers: { "content-type": type } })
      expect(response.status).toBe(200)
    },
  )
})

describe("a body of more than 64 MB", () => {
  const error = { status: 413, code: "payload_too_large", message: "the request body is larger than 64 MiB" }

  test("is refused by its declared length", async () => {
    const headers = { ...JSON_TYPE, "content-length": String(BODY_BYTES.withMedia + 1) }
    expect(await errorOf(fakeServer().post(CHAT, "{}", { headers }))).toMatchObject(error)
  })

  test("is refused while it is read where it declares none", async () => {
    let sent = 0
    const megabyte = new Uint8Array(1024 ** 2).fill(0x20)
    const body = new ReadableStream({
      pull(controller) {
        if (++sent > 500) controller.close()
        else controller.enqueue(megabyte)
      },
    })
    expect(await errorOf(fakeServer().post(CHAT, "", { body }))).toMatchObject(error)
    expect(sent).toBeLessThan(80)
  })
})

describe("routes that are not there", () => {
  test("answer 404 in OpenAI's shape", async () => {
    expect(await errorOf(fakeServer().get("/v1/nothing"))).toEqual({
      status: 404,
      message: "no such route: GET /v1/nothing",
      type: "invalid_request_error",
      param: null,
      code: "not_found",
    })
  })

  test.each([
    ["POST", "/v1/v1/chat/completions", "POST /v1/chat/completions"],
    ["POST", "//v1/chat/completions", "POST /v1/chat/completions"],
    ["POST", "/V1/Chat/Completions", "POST /v1/chat/completions"],
    ["POST", "/v1/chat/completion", "POST /v1/chat/completions"],
    ["POST", "/v1/chatcompletions", "POST /v1/chat/completions"],
    ["GET", "/openai/v1/models", "GET /v1/models"],
    ["GET", "/v1/model", "GET /v1/models"],
    ["GET", "/models/tiny", "GET /v1/models/NAME"],
    ["POST", "/v1/completion", "POST /v1/completions"],
    ["GET", "/v1/health/live", "GET /v0/health/live"],
    ["POST", "/audio/speech", "POST /v1/audio/speech"],
    ["POST", "/v1/images/generation", "POST /v1/images/generations"],
    ["GET", "/v1/images/x.png", "GET /images/NAME"],
  ])("%s %s name the route that was meant: %s", async (method, path, route) => {
    const { message } = await errorOf(fakeServer().get(path, { method }))
    expect(message).toBe(`no such route: ${method} ${path}; did you mean ${route}?`)
  })

  test.each(["/nothing", "/", "/v1", "/v1/", "/wp-login.php", "/v1/embeddings", `/v1/${"m".repeat(10_000)}`])(
    "name none where none is like it: %p",
    async (path) => {
      const { message } = await errorOf(fakeServer().get(path, { method: "POST" }))
      expect(message).not.toContain("did you mean")
      expect(String(message).length).toBeLessThan(300)
    },
  )

  test("answer in Ollama's shape under /api", async () => {
    const response = await fakeServer().get("/api/nothing")
    expect(response.status).toBe(404)
    expect(await response.json()).toEqual({ error: "no such route: GET /api/nothing" })
    const known = await fakeServer().get("/api/tag")
    expect(await known.json()).toEqual({ error: "no such route: GET /api/tag; did you mean GET /api/tags?" })
  })

  test("with another method answer 405 and name the right one", async () => {
    const { get, post } = fakeServer()
    const response = await get(CHAT)
    expect(response.headers.get("allow")).toBe("POST")
    expect(await errorOf(response)).toMatchObject({ status: 405, code: "method_not_allowed" })
    const wrong = await post("/v1/models/a/b", {})
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD"])
  })

  test("are told apart from those that are by OPTIONS", async () => {
    const { get } = fakeServer()
    const ask = async (path: string) => {
      const { status, headers } = await get(path, { method: "OPTIONS" })
      return [status, headers.get("allow")]
    }
    expect(await ask(CHAT)).toEqual([204, "POST, OPTIONS"])
    expect(await ask("/v1/models")).toEqual([204, "GET, HEAD, OPTIONS"])
    expect(await ask("/v1/nothing")).toEqual([404, null])
  })
})

test("an error of the engine keeps its status, its code and its facts", async () => {
  const { post } = fakeServer(() => {
    throw new ContextLengthExceeded(900, 512, "messages")
  })
  expect(await errorOf(post(CHAT, { messages: USER_HI }))).toMatchObject({
    ...{ status: 400, code: "context_length_exceeded", param: "messages", n_prompt_tokens: 900, n_ctx: 512 },
  })
})

test("an unexpected error answers 500 without its words, and is logged with them under the request's id", async () => {
  const { post, logged } = fakeServer(() => {
    throw new TypeError("x is not a function")
  })
  const response = post(CHAT, { messages: USER_HI }, { headers: { ...JSON_TYPE, "x-request-id": "r-1" } })
  expect(await errorOf(response)).toMatchObject({
    ...{ status: 500, type: "server_error", code: "internal_error" },
    message: "internal error; the server's log has more under request ID r-1",
  })
  expect(logged).toHaveLength(1)
  expect(JSON.parse(logged[0] ?? "")).toMatchObject({
    ...{ level: "error", path: CHAT, requestId: "r-1" },
    stack: expect.stringContaining("x is not a function"),
  })
})

describe("the request id", () => {
  const idOf = async (path: string, id?: string) =>
    (await fakeServer().get(path, id === undefined ? {} : { headers: { "x-request-id": id } })).headers.get(
      "x-request-id",
    )

  test("is the client's own", async () => {
    expect(await idOf("/", "client-1")).toBe("client-1")
    expect(await idOf("/nothing", "client-2")).toBe("client-2")
  })

  test("is made where the client has none, or one that no log should hold", async () => {
    const made = /^[0-9a-f]{8}-[0-9a-f-]{27}$/
    expect(await idOf("/")).toMatch(made)
    expect(await idOf("/", "a b")).toMatch(made)
    expect(await idOf("/", "x".repeat(129))).toMatch(made)
  })

  test("is on streams as well", async () => {
    const headers = { ...JSON_TYPE, "x-request-id": "s-1" }
    const response = await fakeServer().post(CHAT, { messages: USER_HI, stream: true }, { headers })
    expect(response.headers.get("x-request-id")).toBe("s-1")
  })
})

describe("web pages", () => {
  const preflight = (origin: string) =>
    fakeServer().get(CHAT, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
      },
    })

  test.each(["http://localhost:3000", "http://127.0.0.1", "https://localhost", "http://[::1]:8080"])(
    "of this machine may call (%s)",
    async (origin) => {
      const { headers, status } = await preflight(origin)
      expect(status).toBe(200)
      expect(headers.get("access-control-allow-origin")).toBe(origin)
      expect(headers.get("access-control-allow-headers")).toContain("content-type")
      expect(headers.get("access-control-allow-credentials")).toBeNull()
    },
  )

  test.each([
    "http://evil.example",
    "http://localhost.evil.example",
    "http://evil.example/?http://localhost",
    "null",
  ])("of others may not (%s)", async (origin) => {
    expect((await preflight(origin)).headers.get("access-control-allow-origin")).toBeNull()
  })
})

describe("models", () => {
  test("are listed as OpenAI lists them, with the context under every name that clients look for", async () => {
    expect(await jsonOf(fakeServer().get("/v1/models"))).toEqual({
      object: "list",
      data: [
        {
          ...{ id: "tiny", object: "model", created: 1767323045, owned_by: "xllm" },
          ...{ max_model_len: 256, context_length: 256, max_context_length: 512 },
          meta: {
            capabilities: ["completion", "chat"],
            ...{ kind: "text", n_ctx_train: 512, n_ctx: 256, n_embd: 64, n_params: 1000 },
            ...{ size: 1234, ftype: "F32" },
          },
        },
      ],
    })
  })

  test("tell the context that is served by themselves too, and none where they are not about text", async () => {
    const { get, engine } = fakeServer()
    engine.mediaModels = [VOICE_MODEL]
    expect(await jsonOf(get("/v1/models/tiny"))).toMatchObject({
      ...{ max_model_len: 256, context_length: 256, max_context_length: 512 },
      meta: { kind: "text", n_ctx_train: 512, n_ctx: 256, parameters: {} },
    })
    expect(Object.keys(await jsonOf(get("/v1/models/joe")))).toEqual([
      ...["id", "object", "created", "owned_by", "meta"],
    ])
  })

  test.each([
    ["org/name:Q4_K_M.v2", "org/name:Q4_K_M.v2"],
    ["org/name:Q4_K_M.v2", "org%2Fname%3AQ4_K_M.v2"],
    ["ein modell", "ein%20modell"],
  ])("%s is found under %s", async (name, path) => {
    const { get, engine } = fakeServer()
    engine.models = [name]
    expect(await jsonOf(get(`/v1/models/${path}`))).toMatchObject({ id: name, meta: { n_ctx_train: 512 } })
  })

  test("are not found under what cannot be decoded, in the words for every other name", async () => {
    const { get } = fakeServer()
    const { status, message } = await errorOf(get("/v1/models/%ZZ"))
    const { message: usual } = await errorOf(get("/v1/models/ZZ"))
    expect([status, message]).toEqual([404, String(usual).replace("'ZZ'", "'%ZZ'")])
  })

  test("of every kind are listed, and tell what they are", async () => {
    const { get, engine } = fakeServer()
    engine.mediaModels = [VOICE_MODEL, RECOGNIZER_MODEL, IMAGE_MODEL]
    const { data } = await jsonOf(get("/v1/models"))
    expect(data).toMatchObject([
      { id: "tiny", meta: { kind: "text" } },
      { id: "joe", meta: { kind: "tts", speakers: ["0"] } },
      { id: "ears", meta: { kind: "asr" } },
      { id: "brush", meta: { kind: "image" } },
    ])
    const metaOf = async (model: string) => (await jsonOf(get(`/v1/models/${model}`)))["meta"]
    expect(await metaOf("joe")).toEqual({
      kind: "tts",
      family: "piper",
      sample_rate: 22_050,
      speakers: ["0"],
      languages: ["en-us"],
      size: 4321,
      capabilities: ["speech"],
    })
    expect(await metaOf("ears")).toMatchObject({ kind: "asr", family: "whisper", can_translate: true })
    expect(await metaOf("brush")).toMatchObject({ kind: "image", architecture: "sd1", n_params: 1000 })
  })

  test("tell the parts attached to their weights, without their paths", async () => {
    const { get, engine } = fakeServer()
    const adapter = {
      role: "adapter",
      name: "a.gguf",
      path: "/secret/a.gguf",
      sizeBytes: 7,
      scale: 0.5,
    } as const
    const show = engine.show.bind(engine)
    engine.show = async (model) => ({ ...(await show(model)), parts: [adapter] })
    expect(await jsonOf(get("/v1/models/tiny"))).toMatchObject({
      meta: { parts: [{ role: "adapter", name: "a.gguf", size: 7, scale: 0.5 }] },
    })
  })

  test("are listed under their other names too, which tell what they stand for", async () => {
    const { get, engine } = fakeServer()
    engine.models = []
    engine.mediaModels = [{ ...VOICE_MODEL, aliases: ["tts-1", "openai/tts"] }]
    const { data } = await jsonOf(get("/v1/models"))
    const common = {
      object: "model",
      created: expect.any(Number),
      owned_by: "xllm",
      meta: { kind: "tts", speakers: ["0"] },
    }
    expect(data).toEqual([
      { id: "joe", ...common },
      { id: "tts-1", alias_of: "joe", ...common },
      { id: "openai/tts", alias_of: "joe", ...common },
    ])
    engine.show = async () => ({ ...VOICE_MODEL, aliases: ["tts-1", "openai/tts"] })
    expect(await jsonOf(get("/v1/models/OpenAI/tts:latest"))).toMatchObject({
      id: "openai/tts",
      alias_of: "joe",
      meta: { kind: "tts" },
    })
    expect(await jsonOf(get("/v1/models/joe"))).not.toHaveProperty("alias_of")
  })

  test.each(["nothing", "%E0%A4%A"])("%p is not found", async (name) => {
    expect(await errorOf(fakeServer().get(`/v1/models/${name}`))).toMatchObject({
      status: 404,
      code: "model_not_found",
      param: "model",
    })
  })
})

describe("the server's own routes", () => {
  test("health tells the state, what is loaded and since when", async () => {
    const { get, engine } = fakeServer()
    engine.loadedModels = [{ ...LOADED_TINY, state: "loading", progress: 0.5 }, LOADED_TINY]
    engine.state = "loading"
    const response = await get("/v0/health")
    expect(response.status).toBe(200)
    expect(await jsonOf(response)).toMatchObject({
      status: "loading",
      progress: 0.5,
      problems: [],
      version: "1.2.3",
      uptime_seconds: expect.any(Number),
      queue: { running: 1, waiting: 2, limit: 1000, models: [{ model: "tiny", running: 1, waiting: 2 }] },
      models: [{ name: "tiny", state: "loading", progress: 0.5 }, { state: "ready" }],
      devices: null,
    })
  })

  test("health has no progress where nothing is loading", async () => {
    const { get, engine } = fakeServer()
    engine.loadedModels = [LOADED_TINY]
    expect(await jsonOf(get("/v0/health"))).toMatchObject({ status: "ok", progress: null })
  })

  test.each([
    ["starting", [200, 200, 503]],
    ["loading", [200, 200, 200]],
    ["ok", [200, 200, 200]],
    ["degraded", [200, 200, 200]],
    ["stopping", [503, 200, 503]],
  ] as const)("while the server is %s, its health, live and ready answer %p", async (state, codes) => {
    const { get, engine } = fakeServer()
    engine.state = state
    const answers = await Promise.all(["", "/live", "/ready"].map((probe) => get(`/v0/health${probe}`)))
    expect(answers.map(({ status }) => status)).toEqual([...codes])
    for (const answer of answers) expect(await jsonOf(answer)).toMatchObject({ status: state })
  })

  test("ps tells of a voice what it has", async () => {
    const { get, engine } = fakeServer()
    const footprint = { ramBytes: 300, devices: [] }
    const loaded = { footprint, slots: 1, modelBytes: 60, devices: ["CPU"], threads: 2 }
    const info = { kind: "tts", family: "piper", ...loaded } as const
    engine.loadedModels = [{ ...LOADED_TINY, name: "joe", kind: "tts", info }]
    expect(await jsonOf(get("/v0/ps"))).toMatchObject({
      models: [
        {
          name: "joe",
          kind: "tts",
          footprint: { ram_bytes: 300 },
          info: { kind: "tts", family: "piper", slots: 1, model_bytes: 60, devices: ["CPU"], threads: 2 },
        },
      ],
    })
  })

  test("health and ps tell which models failed", async () => {
    const { get, engine } = fakeServer()
    const error = new ModelLoadFailed("bad", "it is cut short")
    const failedAt = new Date("2026-01-02T03:04:05Z")
    engine.failedModels = [{ name: "bad", kind: "text", id: "abc123", error, failedAt }]
    const failed = {
      name: "bad",
      kind: "text",
      id: "abc123",
      state: "failed",
      code: "model_load_failed",
      reason: "model 'bad' could not be loaded: it is cut short",
      failed_at: "2026-01-02T03:04:05.000Z",
    }
    for (const path of ["/v0/health", "/v0/ps"])
      expect(await jsonOf(get(path))).toMatchObject({ failed: [failed] })
  })

  test("ps lists what has a worker", async () => {
    const { get, engine } = fakeServer()
    engine.loadedModels = [
      {
        ...LOADED_TINY,
        footprint: { ramBytes: 700, devices: [{ name: "CUDA0", bytes: 300 }] },
        plan: { devices: [{ name: "CUDA0", layers: 2 }], explanation: "all layers fit on CUDA0" },
        notes: ["the context was halved"],
        expiresAt: new Date("2026-01-02T03:05:05Z"),
        priority: "low",
        pinned: true,
      },
    ]
    expect(await jsonOf(get("/v0/ps"))).toEqual({
      models: [
        {
          name: "tiny",
          kind: "text",
          replica: null,
          id: "abc123",
          state: "ready",
          progress: 1,
          pid: 4711,
          size_bytes: 1234,
          most_bytes: null,
          footprint: { ram_bytes: 700, devices: [{ name: "CUDA0", bytes: 300 }] },
          plan: { devices: [{ name: "CUDA0", layers: 2 }], explanation: "all layers fit on CUDA0" },
          notes: ["the context was halved"],
          priority: "low",
          pinned: true,
          active_requests: 1,
          queued_requests: 2,
          loaded_at: "2026-01-02T03:04:05.000Z",
          last_used_at: null,
          expires_at: "2026-01-02T03:05:05.000Z",
          stays: false,
          info: null,
          counters: {
            decode_calls: 1,
            prompt_tokens_evaluated: 2,
            prompt_tokens_cached: 3,
            tokens_generated: 4,
            preemptions: 5,
            kv_growths: 6,
            draft_n: 7,
            draft_n_accepted: 8,
            adapter_switches: 7,
            adapter_loads: 2,
            media_encoded: 3,
            media_encode_ms: 4,
          },
        },
      ],
      failed: [],
      memory: {
        system: {
          total_bytes: 4000,
          free_bytes: 1000,
          used_by_models_bytes: 2000,
          most_used_by_models_bytes: 2500,
          limit_bytes: null,
        },
        gpus: [
          {
            name: "CUDA0",
            total_bytes: 900,
            free_bytes: 500,
            used_by_models_bytes: 300,
            most_used_by_models_bytes: 350,
            limit_bytes: 800,
          },
        ],
      },
    })
  })

  test("stop ends a loaded model, says so of one that was not, and knows unknown ones", async () => {
    const { post, engine } = fakeServer()
    engine.models = ["tiny", "idle"]
    engine.loadedModels = [LOADED_TINY]
    expect(await jsonOf(post("/v0/stop", { model: "tiny" }))).toEqual({ model: "tiny", stopped: true })
    expect(await jsonOf(post("/v0/stop", { model: "idle" }))).toEqual({ model: "idle", stopped: false })
    expect(await errorOf(post("/v0/stop", { model: "x" }))).toMatchObject({
      status: 404,
      code: "model_not_found",
    })
    expect(await errorOf(post("/v0/stop", {}))).toMatchObject({ status: 400, message: "model is required" })
    expect(engine.stopped).toEqual(["tiny", "idle", "x"])
  })

  test("system tells the devices and versions", async () => {
    expect(await jsonOf(fakeServer().get("/v0/system"))).toMatchObject({
      version: "1.2.3",
      uptime_seconds: expect.any(Number),
      processor: { name: expect.any(String), cores: cpus().length, usable_cores: availableParallelism() },
      memory: { system: { total_bytes: 4000 } },
      limits: { queue: 1000, memory_bytes: null, body_bytes: 16 * 1024 ** 2 },
      backends: ["CPU"],
      llama_version: "b1",
      devices: [{ name: "CPU", kind: "cpu", free_bytes: 1000, total_bytes: 2000 }],
      gpu_fallback: null,
    })
  })

  test("render shows the prompt, its tokens and the effective parameters under the requests' names", async () => {
    const body = await jsonOf(fakeServer().post("/v0/render", { messages: USER_HI, top_k: 3 }))
    expect(body).toMatchObject({
      prompt: "Hi",
      tokens: [1, 2, 3],
      parameters: { top_k: 3, temperature: 0.8, dynatemp_range: 0, max_tokens: 7, logit_bias: [[5, false]] },
    })
  })

  test("render takes a completion's prompt, but only one", async () => {
    const { post } = fakeServer()
    expect(await jsonOf(post("/v0/render", { prompt: "a" }))).toMatchObject({ prompt: "prompt" })
    expect(await errorOf(post("/v0/render", { prompt: ["a", "b"] }))).toMatchObject({
      status: 400,
      param: "prompt",
    })
  })
})
