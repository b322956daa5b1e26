import { expect, test } from "bun:test"
import type { TextModelDetails } from "../../../src/domain/model"
import { LOADED_TINY, VOICE_MODEL } from "../../support/fakes/fake-engine"
import { fakeServer, jsonOf } from "../../support/http"

const DETAILS = {
  format: "gguf",
  parent_model: "",
  family: expect.any(String),
  families: [expect.any(String)],
  parameter_size: expect.any(String),
  quantization_level: expect.any(String),
}

test("the root greets Ollama's clients in its words, and people in ours where there is no page", async () => {
  const { get } = fakeServer(undefined, { settings: { web: false } })
  expect(await (await get("/")).text()).toBe("Ollama is running")
  const page = await get("/", { headers: { accept: "text/html,*/*" } })
  expect(await page.text()).toContain("xLLM 1.2.3 is running")
})

test("the version is that of the API", async () => {
  expect(await jsonOf(fakeServer().get("/api/version"))).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
  })
})

test("models are listed with a tag, a digest and their details", async () => {
  const { get, engine } = fakeServer()
  engine.models = ["tiny", "team/other:q8"]
  const body = (await jsonOf(get("/api/tags"))) as { models: object[] }
  expect(body.models).toHaveLength(2)
  expect(body.models).toMatchObject([
    { name: "tiny:latest", model: "tiny:latest", details: DETAILS },
    { name: "team/other:q8" },
  ])
})

test("embedding models are listed and described, models of sound and images are not", async () => {
  const { get, post, engine } = fakeServer()
  const { kind: _, ...facts } = (await engine.list())[0] as TextModelDetails
  engine.mediaModels = [
    VOICE_MODEL,
    { ...facts, kind: "embedding", name: "bert", id: "e1", capabilities: ["embedding"] },
  ]
  engine.loadedModels = [
    LOADED_TINY,
    { ...LOADED_TINY, name: "bert", kind: "embedding" },
    { ...LOADED_TINY, name: "joe", kind: "tts" },
  ]
  const namesOf = async (path: string) =>
    ((await jsonOf(get(path)))["models"] as { name: string }[]).map(({ name }) => name)
  expect(await namesOf("/api/tags")).toEqual(["tiny:latest", "bert:latest"])
  expect(await namesOf("/api/ps")).toEqual(["tiny:latest", "bert:latest"])
  expect(await jsonOf(post("/api/show", { model: "bert" }))).toMatchObject({
    capabilities: ["embedding"],
    details: { embedding_length: 64 },
    modelfile: expect.stringContaining("FROM bert:latest"),
  })
  expect((await post("/api/show", { model: "joe" })).status).toBe(400)
})

test("a model is described", async () => {
  const { post } = fakeServer()
  const body = await jsonOf(post("/api/show", { model: "tiny" }))
  expect(body).toMatchObject({
    details: DETAILS,
    modelfile: expect.stringContaining("FROM tiny:latest"),
    capabilities: expect.any(Array),
    model_info: { "general.parameter_count": expect.any(Number) },
    modified_at: "2026-01-02T03:04:05.000Z",
  })
  expect(await jsonOf(post("/api/show", { name: "tiny" }))).toEqual(body)
  expect((await post("/api/show", { model: "none" })).status).toBe(404)
})

test("loaded models have their size and when they are unloaded", async () => {
  const { get, engine } = fakeServer()
  engine.loadedModels = [{ ...LOADED_TINY, expiresAt: null }]
  expect(await jsonOf(get("/api/ps"))).toMatchObject({
    models: [
      {
        name: "tiny:latest",
        size: engine.loadedModels[0]?.sizeBytes ?? 0,
        expires_at: "2318-01-01T00:00:00Z",
        context_length: expect.any(Number),
      },
    ],
  })
})

test("nothing on disk can be changed where the server has no library", async () => {
  const { post } = fakeServer()
  for (const path of ["/api/pull", "/api/create", "/api/copy"]) {
    const response = await post(path, { model: "tiny" })
    expect(response.status).toBe(400)
    expect(await jsonOf(response)).toEqual({ error: expect.any(String) })
  }
})
