import { describe, expect, test } from "bun:test"
import { Metrics } from "../../../src/metrics/metrics"
import { errorOf, fakeServer, type FakeServerOptions } from "../../support/http"

const SOUND = { file: new File(["x"], "a.wav"), model: "ears" }
const PICTURE = { image: new File(["x"], "a.png"), model: "brush", prompt: "a cat" }

type Server = ReturnType<typeof fakeServer>
type Headers = Readonly<Record<string, string>>

const json = (path: string, body: object) => (server: Server, headers: Headers) =>
  server.post(path, body, { headers: { "content-type": "application/json", ...headers } })
const form = (path: string, parts: Parameters<Server["postForm"]>[1]) => (server: Server, headers: Headers) =>
  server.postForm(path, parts, { headers })

const ROUTES = [
  ["/v1/audio/speech", json("/v1/audio/speech", { model: "joe", input: "Hi" })],
  ["/v1/audio/transcriptions", form("/v1/audio/transcriptions", SOUND)],
  ["/v1/audio/translations", form("/v1/audio/translations", SOUND)],
  ["/v1/images/generations", json("/v1/images/generations", { model: "brush", prompt: "a cat" })],
  ["/v1/images/edits", form("/v1/images/edits", PICTURE)],
  ["/v1/images/variations", form("/v1/images/variations", PICTURE)],
] as const

const server = (options: FakeServerOptions = {}) => fakeServer(undefined, options)

describe.each(ROUTES)("%s", (path, ask) => {
  test("wants a key where the server has keys, before it reads anything", async () => {
    const guarded = server({ settings: { apiKeys: ["secret"] } })
    expect(await errorOf(ask(guarded, {}))).toMatchObject({ status: 401, code: "invalid_api_key" })
    expect((await ask(guarded, { authorization: "Bearer secret" })).status).toBe(200)
  })

  test("answers for its own host only", async () => {
    const response = ask(server(), { host: "evil.example" })
    expect(await errorOf(response)).toMatchObject({ status: 403, code: "host_not_allowed" })
  })

  test("may be read by pages of this machine, and by no others", async () => {
    const origin = "http://localhost:5173"
    const own = await ask(server(), { origin, host: "localhost" })
    expect([own.status, own.headers.get("access-control-allow-origin")]).toEqual([200, origin])
    const other = await ask(server(), { origin: "https://evil.example", host: "localhost" })
    expect(other.headers.get("access-control-allow-origin")).toBeNull()
  })

  test("has the id of its request, one line in the log, and its route in the metrics", async () => {
    const metrics = new Metrics({ version: "1.2.3", startedAt: new Date() })
    const counted = server({ metrics })
    const response = await ask(counted, { "x-request-id": "mine" })
    await response.bytes()
    expect(response.headers.get("x-request-id")).toBe("mine")
    expect(counted.logged.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { requestId: "mine", path, status: 200 },
    ])
    expect(await metrics.text()).toMatch(
      new RegExp(`^xllm_http_requests_total\\{route="${path}",model="",status="200"\\} 1$`, "m"),
    )
  })
})
