import { describe, expect, test } from "bun:test"
import { errorOf, fakeServer, USER_HI } from "../../support/http"

const CHAT = "/v1/chat/completions"
const JSON_TYPE = { "content-type": "application/json" }

describe("X-Request-Timeout", () => {
  const ask = (timeout: string) => {
    const server = fakeServer()
    const headers = { ...JSON_TYPE, "x-request-timeout": timeout }
    return { server, response: server.post(CHAT, { messages: USER_HI }, { headers }) }
  }

  test.each([
    ["30", 30_000],
    ["0.5", 500],
    ["0", 0],
  ])("of %p seconds limits the wait to %i ms", async (timeout, queueTimeoutMs) => {
    const { server, response } = ask(timeout)
    expect((await response).status).toBe(200)
    expect(server.engine.lastRequest).toMatchObject({ queueTimeoutMs })
  })

  test.each(["-1", "soon", "", "1e3", "10s", "99999999999"])("of %p is refused", async (timeout) => {
    const error = await errorOf(ask(timeout).response)
    expect(error["status"]).toBe(400)
    expect(error["message"]).toBe(
      `X-Request-Timeout must be a number of seconds between 0 and 2073600, got ${JSON.stringify(timeout)}`,
    )
  })

  test("holds for completions and rendered prompts", async () => {
    const { post, engine } = fakeServer()
    const headers = { ...JSON_TYPE, "x-request-timeout": "2" }
    await post("/v1/completions", { prompt: "a" }, { headers })
    expect(engine.lastRequest).toMatchObject({ queueTimeoutMs: 2000 })
    headers["x-request-timeout"] = "x"
    expect((await post("/v0/render", { prompt: "a" }, { headers })).status).toBe(400)
  })
})

describe("keep_alive", () => {
  const ask = (keep_alive: unknown) => {
    const server = fakeServer()
    return { server, response: server.post(CHAT, { messages: USER_HI, keep_alive }) }
  }

  test.each([
    [60, 60],
    [0.5, 0.5],
    ["5m", 300],
    ["1h30m", 5400],
    ["0", 0],
    [0, 0],
    [-1, null],
    ["-1", null],
    ["-1m", null],
  ])("of %p is %p seconds", async (given, keepAliveSeconds) => {
    const { server, response } = ask(given)
    expect((await response).status).toBe(200)
    expect(server.engine.lastRequest).toMatchObject({ keepAliveSeconds })
  })

  test.each([["soon"], [""], [true], [[]], ["5 minutes"]])("of %p is refused", async (given) => {
    expect(await errorOf(ask(given).response)).toMatchObject({ status: 400, param: "keep_alive" })
  })

  test.each([undefined, null])("of %p leaves it to the settings", async (given) => {
    const { server, response } = ask(given)
    await response
    expect(server.engine.lastRequest).not.toHaveProperty("keepAliveSeconds")
  })
})

test("the engine is told the request's id", async () => {
  const { post, engine } = fakeServer()
  await post("/v1/completions", { prompt: "a" }, { headers: { ...JSON_TYPE, "x-request-id": "r-7" } })
  expect(engine.lastRequest).toMatchObject({ requestId: "r-7" })
})
