import { describe, expect, test } from "bun:test"
import { errorOf, fakeServer, USER_HI } from "../../support/http"

const CHAT = "/v1/chat/completions"
const MIB = 1024 ** 2

/** A chat with something more in its body. */
const chatWith = (json: string) => `{"messages":[{"role":"user","content":"Hi"}],"extra":${json}}`

describe("the shape of a JSON body", () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels)
  const keys = (count: number) => `{${Array.from({ length: count }, (_, key) => `"${key}":1`).join(",")}}`

  test.each([
    ["8192 levels", nested(8191)],
    ["131,072 keys", keys(131_072 - 4)],
    ["a million numbers", `[${Array(1_000_000).fill(7).join(",")}]`],
    ["brackets in a text", JSON.stringify("[{:,".repeat(MIB))],
    ["quotes and backslashes in a text", JSON.stringify('\\"[['.repeat(MIB))],
  ])("may have %s", async (_what, json) => {
    expect((await fakeServer().post(CHAT, chatWith(json))).status).toBe(200)
  })

  test.each([
    ["more levels", nested(8192), "it has more than 8192 levels"],
    ["levels without an end", "[".repeat(15 * MIB), "it has more than 8192 levels"],
    ["more keys", keys(131_072 - 3), "it has more than 131072 keys"],
    ["more values", `[${"1,".repeat(1_500_000)}1]`, "it has more than 1500000 values"],
  ])("may not have %s", async (_what, json, reason) => {
    expect(await errorOf(fakeServer().post(CHAT, chatWith(json)))).toMatchObject({
      status: 400,
      code: "invalid_request_error",
      message: `the request body is not valid JSON: ${reason}`,
    })
  })
})

test.each([
  ["/v1/audio/speech", 4],
  ["/v1/images/generations", 1],
  ["/v0/stop", 1],
])("the body of %s has at most %d MiB", async (path, size) => {
  expect(await errorOf(fakeServer().post(path, `{"model":"${"x".repeat(size * MIB)}"}`))).toMatchObject({
    status: 413,
    message: `the request body is larger than ${size} MiB`,
  })
})

describe("what is repeated of a request", () => {
  const { post, get, logged } = fakeServer()

  test.each([
    ["a model's name of 5 MB", () => post(CHAT, { model: "m".repeat(5 * MIB), messages: USER_HI })],
    ["a body that is no JSON", () => post(CHAT, `{"messages": ${"x".repeat(5 * MIB)}`)],
    ["a bias's key", () => post(CHAT, { messages: USER_HI, logit_bias: { ["k".repeat(MIB)]: 1 } })],
    ["a path", () => get(`/v1/${"p".repeat(14_000)}`)],
    ["the path of another method", () => get(`/v0/stop`)],
    ["the path of a model", () => get(`/v1/models/${"p".repeat(14_000)}`)],
    ["a path that is no UTF-8", () => get(`/v1/models/%ZZ${"p".repeat(14_000)}`)],
    ["a type", () => post(CHAT, "{}", { headers: { "content-type": "t".repeat(14_000) } })],
    ["a timeout", () => post(CHAT, "{}", { headers: { "x-request-timeout": "9".repeat(14_000) } })],
    ["a host", () => get("/", { headers: { host: "h".repeat(14_000) } })],
  ])("is short in the answer and in the log: %s", async (_what, send) => {
    logged.length = 0
    const response = await send()
    expect(response.status).toBeGreaterThanOrEqual(400)
    expect((await response.text()).length).toBeLessThan(600)
    expect(logged).toHaveLength(1)
    expect(logged[0]?.length).toBeLessThan(5_000)
  })
})
