import { describe, expect, test } from "bun:test"
import { FakeEngine, LOADED_TINY, TINY_INFO } from "../../support/fakes/fake-engine"
import { fakeServer, jsonOf } from "../../support/http"

test("health is open, and unavailable while models load at the start", async () => {
  const { get, engine } = fakeServer(undefined, { settings: { apiKeys: ["secret"] } })
  for (const path of ["/health", "/v1/health"]) {
    expect(await jsonOf(get(path))).toEqual({ status: "ok" })
    engine.state = "starting"
    const response = await get(path)
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({
      error: { code: 503, message: "Loading model", type: "unavailable_error" },
    })
    engine.state = "ok"
  }
})

test("the properties of a model are those that clients size their prompts by", async () => {
  const { get } = fakeServer()
  const body = await jsonOf(get("/props"))
  expect(body).toMatchObject({
    default_generation_settings: { n_ctx: 256, params: { temperature: 0.8, n_predict: -1, logit_bias: [] } },
    model_alias: "tiny",
    model_path: "tiny.gguf",
    modalities: { vision: false, audio: false },
    build_info: "xllm-1.2.3",
    bos_token: "",
    endpoint_slots: true,
  })
  expect((await get("/props?model=none")).status).toBe(404)
})

test("the properties have the model's own defaults and tokens, and do not load it", async () => {
  class MarkedEngine extends FakeEngine {
    override async show(name: string) {
      const details = await super.show(name)
      if (details.kind !== "text") return details
      const defaults = {
        sampling: { topK: 7, logitBias: [[5, -Infinity] as const] },
        stop: ["END"],
        maxTokens: 9,
      }
      const metadata = { "general.sampling.temp": 0.5, "general.sampling.top_k": 3 }
      return { ...details, metadata, defaults, bosToken: "<s>", eosToken: "</s>" }
    }
    override async render(): Promise<never> {
      throw new Error("it would be loaded")
    }
  }
  const { get, engine } = fakeServer(undefined, { engine: new MarkedEngine() })
  expect(await jsonOf(get("/props"))).toMatchObject({
    default_generation_settings: {
      // Bans are null, as JSON has no -Infinity.
      params: {
        ...{ temperature: 0.5, top_k: 7, n_predict: 9, stop: ["END"] },
        logit_bias: [{ token: 5, bias: null }],
      },
    },
    bos_token: "<s>",
    eos_token: "</s>",
    is_sleeping: true,
    total_slots: 16,
  })
  engine.loadedModels = [{ ...LOADED_TINY, info: TINY_INFO }]
  expect(await jsonOf(get("/props"))).toMatchObject({ is_sleeping: false, total_slots: 4 })
})

test("the properties of a server with several models say that one has to be named", async () => {
  const { get, engine } = fakeServer()
  engine.models = ["a", "b"]
  expect(await jsonOf(get("/props"))).toMatchObject({
    role: "router",
    model_path: "none",
    models_autoload: true,
  })
  expect(await jsonOf(get("/props?model=b"))).toMatchObject({ model_alias: "b" })
})

test("routes of OpenAI's API work without their version", async () => {
  const { get, post } = fakeServer()
  const chat = { messages: [{ role: "user", content: "Hi" }] }
  expect(await jsonOf(post("/chat/completions", chat))).toMatchObject({ object: "chat.completion" })
  expect(await jsonOf(get("/models"))).toMatchObject({ object: "list" })
})

test("models are loaded and unloaded by name", async () => {
  const { post, engine } = fakeServer()
  expect(await jsonOf(post("/models/load", { model: "tiny" }))).toEqual({ success: true })
  expect(await jsonOf(post("/models/unload", { model: "tiny" }))).toEqual({ success: true })
  expect(engine.stopped).toEqual(["tiny"])
  expect((await post("/models/unload", { model: "none" })).status).toBe(404)
  expect((await post("/models/load", {})).status).toBe(400)
})

describe("a chat's prompt", () => {
  const chat = { messages: [{ role: "user", content: "Hi" }] }

  test("is shown", async () => {
    const { post } = fakeServer()
    expect(await jsonOf(post("/apply-template", chat))).toEqual({ prompt: "Hi" })
  })

  test("is counted", async () => {
    const { post } = fakeServer()
    expect(await jsonOf(post("/v1/chat/completions/input_tokens", chat))).toEqual({ input_tokens: 3 })
    expect(await jsonOf(post("/chat/completions/input_tokens", chat))).toEqual({ input_tokens: 3 })
  })
})

test("slots are busy while requests run, and a full server says so where it is asked for", async () => {
  const { get, engine } = fakeServer()
  engine.loadedModels = [{ ...LOADED_TINY, activeRequests: 1, info: { ...TINY_INFO, slots: 2 } }]
  const slots = [
    { id: 0, n_ctx: 256, is_processing: true },
    { id: 1, n_ctx: 256, is_processing: false },
  ]
  expect(await (await get("/slots?fail_on_no_slot=1")).json()).toMatchObject(slots)
  engine.loadedModels = [{ ...LOADED_TINY, activeRequests: 2, info: { ...TINY_INFO, slots: 2 } }]
  expect((await get("/slots")).status).toBe(200)
  const full = await get("/slots?fail_on_no_slot=1")
  expect([full.status, await full.json()]).toEqual([
    503,
    { error: { code: 503, message: "no slot available", type: "unavailable_error" } },
  ])
})
