import { describe, expect, test } from "bun:test"
import { Metrics } from "../../../src/metrics/metrics"
import { answer, untilAborted } from "../../support/fakes/fake-engine"
import { errorOf, fakeServer, type Json, jsonOf, readerOf, USER_HI } from "../../support/http"
import { until } from "../../support/until"

const CHAT = "/v1/chat/completions"

interface SentEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: unknown
}

/** Reads a stream's events one by one. */
function eventReader(response: Response) {
  const reader = readerOf(response)
  let text = ""
  const next = async (): Promise<SentEvent | undefined> => {
    for (;;) {
      const end = text.indexOf("\n\n")
      if (end >= 0) {
        const fields = text.slice(0, end).split("\n")
        text = text.slice(end + 2)
        const field = (name: string) =>
          fields.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
        return { event: field("event") ?? "", id: field("id"), data: JSON.parse(field("data") ?? "null") }
      }
      const more = await reader.next()
      if (more === undefined) return undefined
      text += more
    }
  }
  return {
    next,
    /** The data of the next event of that name for which `is` holds. */
    async find(event: string, is: (data: Json) => boolean = () => true): Promise<Json> {
      for (;;) {
        const sent = await next()
        if (sent === undefined) throw new Error(`the stream ended without ${event}`)
        // Tests look at the fields.
        if (sent.event === event && is(sent.data as Json)) return sent.data as Json
      }
    },
    cancel: () => reader.cancel(),
  }
}

describe("the stream of events", () => {
  test("begins with the state, the downloads and the activity", async () => {
    const { get } = fakeServer()
    const events = eventReader(await get("/v0/events"))
    expect(await events.next()).toMatchObject({ event: "state", data: { status: "ok", version: "1.2.3" } })
    expect(await events.next()).toMatchObject({ event: "pulls", data: [] })
    expect(await events.next()).toMatchObject({
      event: "activity",
      data: { generated_tokens_per_second: 0, first_token_ms: null, requests: [] },
    })
    await events.cancel()
  })

  test("shows a request while a model works on it, and can stop it", async () => {
    const { get, post, app } = fakeServer(async function* (_request, signal) {
      yield { type: "prompt", tokens: 7, cachedTokens: 0 }
      yield await untilAborted(signal)
    })
    const events = eventReader(await get("/v0/events"))
    const chat = post(
      CHAT,
      { messages: USER_HI },
      { headers: { "x-request-id": "mine", "content-type": "application/json" } },
    )
    const { requests } = await events.find("activity", (data) => (data["requests"] as Json[]).length > 0)
    expect(requests).toMatchObject([
      { id: "mine", path: CHAT, model: "tiny", kind: "chat", prompt_tokens: 7, generated_tokens: 0 },
    ])
    const stop = new Request("http://localhost/v0/requests/mine", { method: "DELETE" })
    expect(await jsonOf(app.handle(stop))).toEqual({ id: "mine", stopped: true })
    expect(await errorOf(chat)).toMatchObject({ status: 499, code: "request_stopped" })
    expect(
      (await events.find("activity", (data) => (data["requests"] as Json[]).length === 0))["requests"],
    ).toEqual([])
    await events.cancel()
  })

  test("ends a stopped stream with an error, so that nobody takes it for complete", async () => {
    const { post, app, get } = fakeServer(async function* (_request, signal) {
      yield { type: "prompt", tokens: 7, cachedTokens: 0 }
      yield { type: "part-start", part: "text", choice: 0 }
      yield { type: "delta", part: "text", choice: 0, text: "Hello", tokens: 1 }
      yield await untilAborted(signal)
    })
    const response = await post(CHAT, { messages: USER_HI, stream: true })
    const [{ id = "" } = {}] = (await jsonOf(get("/v0/requests")))["requests"] as { id?: string }[]
    await app.handle(new Request(`http://localhost/v0/requests/${id}`, { method: "DELETE" }))
    expect(await response.text()).toContain('"code":"request_stopped"')
  })

  test("counts tokens, and tells what happens to models", async () => {
    const metrics = new Metrics({ version: "1.2.3", startedAt: new Date() })
    const { get } = fakeServer(() => answer(["Hello"]), { metrics })
    const worker = { model: "tiny", replica: 1 }
    metrics.modelLoading(worker)
    const events = eventReader(await get("/v0/events"))
    expect(await events.find("journal")).toMatchObject({ id: 1, type: "model-loading", model: "tiny" })
    const request = { model: "tiny", kind: "chat" } as const
    metrics.modelLoaded(worker, 12)
    metrics.requestQueued(request)
    metrics.firstToken(request, 30)
    metrics.nextTokens(request, 4, 10)
    expect(await events.find("journal")).toMatchObject({ id: 2, type: "model-loaded", ms: 12 })
    expect(await events.find("activity")).toMatchObject({
      first_token_ms: { p50: 30, p95: 30 },
      totals: { generated_tokens: 5 },
    })
    await events.cancel()
  })

  test("goes on after the last event that a client knows", async () => {
    const metrics = new Metrics({ version: "1.2.3", startedAt: new Date() })
    const { get } = fakeServer(undefined, { metrics })
    const worker = { model: "tiny", replica: 1 }
    metrics.modelLoading(worker)
    metrics.modelLoaded(worker, 12)
    metrics.modelUnloaded(worker, "idle")
    const events = eventReader(await get("/v0/events", { headers: { "last-event-id": "2" } }))
    expect(await events.find("journal")).toMatchObject({ id: 3, type: "model-unloaded", reason: "idle" })
    await events.cancel()
    // The number of a server that ran before this one: what this one has done is news.
    const restarted = eventReader(await get("/v0/events", { headers: { "last-event-id": "40" } }))
    expect(await restarted.find("journal")).toMatchObject({ id: 1 })
    await restarted.cancel()
  })

  test("ends when the server is told to stop", async () => {
    const closing = new AbortController()
    const { get } = fakeServer(undefined, { closing: closing.signal })
    const events = eventReader(await get("/v0/events"))
    await events.find("activity")
    closing.abort()
    expect(await until(async () => ((await events.next()) === undefined ? "over" : undefined))).toBe("over")
  })
})
