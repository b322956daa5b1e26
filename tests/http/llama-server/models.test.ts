import { expect, test } from "bun:test"
import { ModelLoadFailed } from "../../../src/errors/model"
import { FakeEngine, LOADED_TINY, VOICE_MODEL } from "../../support/fakes/fake-engine"
import { fakeServer, jsonOf } from "../../support/http"

class NamedEngine extends FakeEngine {
  override async list() {
    const metadata = { "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": "array of 49152 string" }
    return (await super.list()).map((model) =>
      model.kind === "text" ? { ...model, aliases: ["gpt-4"], metadata } : model,
    )
  }
}

test("a model is listed once, with all its names, what clients size their prompts by and its state", async () => {
  const { get, engine } = fakeServer(undefined, { engine: new NamedEngine() })
  engine.mediaModels = [VOICE_MODEL]
  engine.loadedModels = [LOADED_TINY]
  const body = await jsonOf(get("/models"))
  expect(body).toMatchObject({
    object: "list",
    data: [
      {
        id: "tiny",
        aliases: ["tiny", "gpt-4"],
        tags: [],
        object: "model",
        status: { value: "loaded" },
        meta: {
          vocab_type: 2,
          n_vocab: 49_152,
          n_ctx: 256,
          n_ctx_train: 512,
          n_embd: 64,
          n_params: 1000,
          size: 1234,
          ftype: "F32",
        },
      },
      { id: "joe", aliases: ["joe"], status: { value: "unloaded" } },
    ],
    models: [
      {
        name: "tiny",
        model: "tiny",
        type: "model",
        capabilities: ["completion"],
        details: { format: "gguf" },
      },
      { name: "joe", capabilities: [] },
    ],
  })
})

test("a model is loading while it loads, and failed after its load did", async () => {
  const { get, engine } = fakeServer()
  const statusOf = async () => (await jsonOf(get("/models")))["data"]
  engine.loadedModels = [{ ...LOADED_TINY, state: "loading" }]
  expect(await statusOf()).toMatchObject([{ status: { value: "loading" } }])
  engine.loadedModels = []
  const error = new ModelLoadFailed("tiny", "why")
  engine.failedModels = [{ name: "tiny", kind: "text", id: "abc123", error, failedAt: new Date() }]
  expect(await statusOf()).toMatchObject([{ status: { value: "unloaded", failed: true } }])
})

test("properties cannot be changed", async () => {
  const response = await fakeServer().post("/props", {})
  expect([response.status, await response.json()]).toEqual([
    501,
    { error: { code: 501, message: expect.any(String), type: "not_supported_error" } },
  ])
})
