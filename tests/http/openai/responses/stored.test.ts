import { describe, expect, test } from "bun:test"
import { existsSync, writeFileSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"
import type { ChatRequest, GenerationEvent } from "../../../../src/domain/chat"
import { done, type FakeEngine } from "../../../support/fakes/fake-engine"
import { errorOf, fakeServer, type FakeServerOptions, type Json, jsonOf } from "../../../support/http"

const CALL = { model: "tiny", input: "Hi" }

/** Answers with the number of messages in the conversation. */
async function* counting({ messages }: { readonly messages: readonly unknown[] }) {
  const events: readonly GenerationEvent[] = [
    { type: "prompt", tokens: 5 },
    { type: "part-start", choice: 0, part: "text" },
    { type: "delta", choice: 0, part: "text", text: `${messages.length}`, tokens: 1 },
    { type: "part-end", choice: 0, part: "text" },
    { type: "finish", choice: 0, reason: "stop", completionTokens: 1 },
    done(1),
  ]
  yield* events
}

function serverOf(options: FakeServerOptions = {}) {
  const server = fakeServer((request) => counting(request as ChatRequest), options)
  const respond = (body: object, init?: RequestInit): Promise<Json> =>
    jsonOf(server.post("/v1/responses", { ...CALL, ...body }, init))
  const send = (method: string, path: string, headers: Record<string, string> = {}) =>
    server.app.handle(new Request(`http://localhost/v1/responses/${path}`, { method, headers }))
  return { ...server, respond, send }
}

function messagesOf(engine: FakeEngine) {
  const request = engine.lastRequest
  if (request.kind !== "chat") throw new Error("not a chat")
  return request.messages.map(({ role, content }) => [
    role,
    typeof content === "string" ? content : content.map((part) => ("text" in part ? part.text : "")).join(""),
  ])
}

const textOf = (text: string) => [{ type: "input_text", text }]

describe("a stored response", () => {
  test("is continued by another, without its instructions, also by another process", async () => {
    const first = serverOf()
    const one = await first.respond({ instructions: "Be brief." })
    expect(one).toMatchObject({ store: true, previous_response_id: null })
    const two = await first.respond({ input: "And?", previous_response_id: one["id"] })
    expect(two).toMatchObject({ store: true, previous_response_id: one["id"] })
    first.responses.close()
    const second = serverOf({ responsesPath: first.responsesPath })
    await second.respond({ instructions: "Be long.", input: "Why?", previous_response_id: two["id"] })
    expect(messagesOf(second.engine)).toEqual([
      ["system", "Be long."],
      ["user", "Hi"],
      ["assistant", "2"],
      ["user", "And?"],
      ["assistant", "3"],
      ["user", "Why?"],
    ])
    expect(await jsonOf(second.send("GET", String(two["id"])))).toEqual(two)
  })

  test("is complete before its stream ends", async () => {
    const { post, send } = serverOf()
    const text = await (await post("/v1/responses", { ...CALL, stream: true })).text()
    const last = JSON.parse(text.trimEnd().split("\n").at(-1)?.slice("data: ".length) ?? "") as Json
    const { id, store } = last["response"] as Json
    expect(store).toBe(true)
    expect(await jsonOf(send("GET", String(id)))).toEqual(last["response"] as Json)
  })

  test("lists what its model got, in pages", async () => {
    const { respond, send } = serverOf()
    const { id: first } = await respond({ input: [{ role: "user", content: "Hi" }] })
    const { id } = await respond({
      input: [
        { type: "message", id: "msg_mine", role: "user", content: textOf("And?") },
        { role: "developer", content: "Hurry." },
      ],
      previous_response_id: first,
    })
    const page = async (query: string) => await jsonOf(send("GET", `${id}/input_items${query}`))
    const all = (await page(""))["data"] as readonly Json[]
    expect(all).toMatchObject([
      { type: "message", role: "developer", content: textOf("Hurry."), status: "completed" },
      { type: "message", id: "msg_mine", role: "user", content: textOf("And?") },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "1" }] },
      { type: "message", role: "user", content: textOf("Hi") },
    ])
    const ids = all.map((item) => item["id"])
    expect(new Set(ids).size).toBe(4)
    expect(await page("?limit=2")).toMatchObject({
      ...{ object: "list", has_more: true, first_id: ids[0], last_id: "msg_mine" },
      data: { length: 2 },
    })
    expect(await page("?limit=2&after=msg_mine")).toMatchObject({ has_more: false, first_id: ids[2] })
    expect(await page("?order=asc&limit=1")).toMatchObject({ first_id: ids[3], last_id: ids[3] })
    for (const query of ["?limit=0", "?limit=101", "?limit=x", "?order=up", "?after=nothing"])
      expect((await send("GET", `${id}/input_items${query}`)).status).toBe(400)
  })

  test("gives its items to requests that refer to them", async () => {
    const { respond, engine, post } = serverOf()
    const { output } = await respond({})
    const [{ id = "" } = {}] = output as readonly { readonly id: string }[]
    const input = [{ type: "item_reference", id }, { id }, { role: "user", content: "So?" }]
    expect((await post("/v1/responses", { ...CALL, input })).status).toBe(200)
    expect(messagesOf(engine)).toEqual([
      ["assistant", "11"],
      ["user", "So?"],
    ])
    const wrong = [...input, { type: "item_reference", id: "msg_x" }]
    expect(await errorOf(post("/v1/responses", { ...CALL, input: wrong }))).toMatchObject({
      status: 400,
      param: "input[3].id",
    })
  })

  test("is deleted", async () => {
    const { respond, send, post } = serverOf()
    const { id } = await respond({})
    expect(await jsonOf(send("DELETE", String(id)))).toEqual({ id, object: "response", deleted: true })
    expect(await errorOf(send("GET", String(id)))).toMatchObject({
      ...{ status: 404, code: "response_not_found", type: "invalid_request_error" },
      message: `Response with id '${id}' not found.`,
    })
    expect((await send("DELETE", String(id))).status).toBe(404)
    expect((await send("GET", `${id}/input_items`)).status).toBe(404)
    expect(await errorOf(post("/v1/responses", { ...CALL, previous_response_id: id }))).toMatchObject({
      ...{ status: 400, code: "previous_response_not_found", param: "previous_response_id" },
    })
  })

  test("is visible to its own key only", async () => {
    const { respond, send, post } = serverOf({ settings: { apiKeys: ["mine", "yours"] } })
    const mine = { authorization: "Bearer mine" }
    const yours = { "x-api-key": "yours" }
    const { id, output } = await respond({}, { headers: mine })
    const [{ id: item = "" } = {}] = output as readonly { readonly id: string }[]
    expect((await send("GET", String(id), mine)).status).toBe(200)
    expect((await send("GET", String(id), { ...mine, "x-api-key": "mine" })).status).toBe(200)
    for (const path of [String(id), `${id}/input_items`])
      expect((await send("GET", path, yours)).status).toBe(404)
    expect((await send("DELETE", String(id), yours)).status).toBe(404)
    expect((await send("POST", `${id}/cancel`, yours)).status).toBe(404)
    for (const body of [{ previous_response_id: id }, { input: [{ type: "item_reference", id: item }] }])
      expect((await post("/v1/responses", { ...CALL, ...body }, { headers: yours })).status).toBe(400)
  })

  test("cannot be cancelled, or streamed again", async () => {
    const { respond, send } = serverOf()
    const { id } = await respond({})
    expect(await errorOf(send("POST", `${id}/cancel`))).toMatchObject({
      ...{ status: 400, code: "unsupported", message: expect.stringContaining("in the background") },
    })
    expect((await send("POST", "resp_x/cancel")).status).toBe(404)
    expect(await errorOf(send("GET", `${id}?stream=true`))).toMatchObject({ status: 400, param: "stream" })
  })

  test("has a path that says which methods it takes", async () => {
    const { send } = serverOf()
    const wrong = await send("PUT", "resp_1")
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD, DELETE"])
  })

  test("counts with the conversation before it", async () => {
    const { respond, post, engine } = serverOf()
    const { id } = await respond({})
    const body = { ...CALL, previous_response_id: id }
    expect(await jsonOf(post("/v1/responses/input_tokens", body))).toMatchObject({ input_tokens: 3 })
    expect(engine.calls).toHaveLength(1)
  })
})

describe("a response is not kept", () => {
  test("where the request says so, and no file is made", async () => {
    const { respond, send, responsesPath } = serverOf()
    const response = await respond({ store: false })
    expect(response).toMatchObject({ store: false })
    expect(response["warnings"]).toBeUndefined()
    expect((await send("GET", String(response["id"]))).status).toBe(404)
    expect(existsSync(responsesPath)).toBe(false)
  })

  test("where the server keeps none, which it says to those that ask for it", async () => {
    const { respond, post, responsesPath } = serverOf({ responseLimits: { isEnabled: false } })
    expect(await respond({})).toMatchObject({ store: false })
    expect(await respond({ store: true })).toMatchObject({
      ...{ store: false, warnings: ["the response is not kept: responses.store is off"] },
    })
    expect(existsSync(responsesPath)).toBe(false)
    expect(await errorOf(post("/v1/responses", { ...CALL, previous_response_id: "resp_1" }))).toMatchObject({
      message: expect.stringContaining("responses.store is off"),
    })
  })

  test("where it cannot be written, but answered", async () => {
    const { respond, responsesPath, logged } = serverOf()
    mkdirSync(dirname(dirname(responsesPath)), { recursive: true })
    writeFileSync(dirname(responsesPath), "no folder")
    const { output, store, warnings } = await respond({})
    expect({ output, store, warnings }).toMatchObject({
      output: [{ content: [{ text: "1" }] }],
      store: false,
      warnings: [expect.stringContaining("the response is not kept: the server cannot store the response")],
    })
    expect(logged.some((line) => line.includes('"level":"warn"') && line.includes("storage_failed"))).toBe(
      true,
    )
  })

  test("where its input is too large", async () => {
    const { respond } = serverOf()
    expect(await respond({ input: "x".repeat(3 * 1024 ** 2) })).toMatchObject({
      ...{ store: false, warnings: ["the response is not kept: its input is too large"] },
    })
  })
})
