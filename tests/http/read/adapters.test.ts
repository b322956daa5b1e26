import { describe, expect, test } from "bun:test"
import { AdapterNotFound } from "../../../src/errors/model"
import { fakeServer, jsonOf } from "../../support/http"

const lora = [{ id: 1, scale: 0.5 }, { name: "style" }]
const choices = [
  { adapter: 1, scale: 0.5 },
  { adapter: "style", scale: 1 },
]
const messages = [{ role: "user", content: "hi" }]

/** A request of each API. */
const ROUTES: readonly (readonly [path: string, body: object])[] = [
  ["/v1/chat/completions", { messages }],
  ["/v1/completions", { prompt: "hi" }],
  ["/v1/responses", { input: "hi" }],
  ["/v1/messages", { model: "tiny", max_tokens: 5, messages }],
  ["/completion", { prompt: "hi" }],
  ["/infill", { input_prefix: "a", input_suffix: "b" }],
  ["/api/chat", { model: "tiny", stream: false, messages }],
  ["/api/generate", { model: "tiny", stream: false, prompt: "hi" }],
]

describe.each(ROUTES)("%s", (path, body) => {
  test("takes adapters by number and name", async () => {
    const { engine, post } = fakeServer()
    expect((await post(path, { ...body, lora })).status).toBe(200)
    expect(engine.lastRequest.lora).toEqual(choices)
  })

  test.each([undefined, null, []])("leaves the choice to the server with %j", async (none) => {
    const { engine, post } = fakeServer()
    expect((await post(path, { ...body, lora: none })).status).toBe(200)
    expect(engine.lastRequest.lora).toBeUndefined()
  })

  test.each([
    "style",
    [5],
    [{}],
    [{ id: 1, name: "style" }],
    [{ id: -1 }],
    [{ id: 0.5 }],
    [{ name: 5 }],
    [{ id: 0, scale: 101 }],
    [{ id: 0, scale: "1" }],
    Array.from({ length: 17 }, (_, id) => ({ id })),
  ])("refuses %j", async (wrong) => {
    const { post } = fakeServer()
    const response = await post(path, { ...body, lora: wrong })
    expect(response.status).toBe(400)
    expect(JSON.stringify(await jsonOf(response))).toContain("lora")
  })

  test("answers 404 for one that the model does not have, in its own form", async () => {
    const { engine, post } = fakeServer()
    engine.script = () => {
      throw new AdapterNotFound("style", "tiny", "; it has 0: other")
    }
    const response = await post(path, { ...body, lora })
    expect(response.status).toBe(404)
    expect(JSON.stringify(await jsonOf(response))).toContain(
      "model 'tiny' has no adapter 'style'; it has 0: other",
    )
  })
})

test("Ollama's requests may have it among their options", async () => {
  const { engine, post } = fakeServer()
  await post("/api/chat", { model: "tiny", stream: false, messages, options: { lora } })
  expect(engine.lastRequest.lora).toEqual(choices)
})
