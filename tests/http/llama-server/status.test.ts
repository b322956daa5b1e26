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
    default_generation_settings: { n_ctx: 256, params: { temperature: 0.8, n_predict: 7 } },
    model_alias: "tiny",
    model_path: "tiny.gguf",
    modalities: { vision: false, audio: false },
    build_info: "xllm-1.2.3",
    bos_token: "",
    endpoint_slots: true,
  })
  // Bans are null, as JSON has no -Infinity.
  expect(body).toMatchObject({
    default_generation_settings: { params: { logit_bias: [{ token: 5, bias: null }] } },
  })
  expect((await get("/props?model=none")).status).toBe(404)
})

test("the properties have the texts of the tokens that begin and end", async () => {
  class MarkedEngine extends FakeEngine {
    override async show(name: string) {
      const metadata = { "tokenizer.ggml.bos_token_id": 65, "tokenizer.ggml.eos_token_id": 66 }
      const details = await super.show(name)
      return details.kind === "text" ? { ...details, metadata } : details
    }
  }
  const { get } = fakeServer(undefined, { engine: new MarkedEngine() })
  expect(await jsonOf(get("/props"))).toMatchObject({ bos_token: "A", eos_token: "B" })
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
