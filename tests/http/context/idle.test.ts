import { expect, test } from "bun:test"
import type { GenerationEvent } from "../../../src/domain/chat"
import { answer, type Script, untilAborted } from "../../support/fakes/fake-engine"
import { fakeServer, formRequest, readerOf, USER_HI } from "../../support/http"
import { until } from "../../support/until"

const CHAT = "/v1/chat/completions"

/** A server that writes down which timeouts its requests' connections get. */
function timed(script?: Script) {
  const server = fakeServer(script)
  const seconds: number[] = []
  // The part of Bun's server that is used; it has no other in these tests.
  const bun = { timeout: (_request: Request, timeout: number) => void seconds.push(timeout) }
  Object.assign(server.app, { server: bun })
  return { ...server, seconds }
}

/** What each connection waits for, by the request that is sent: everything that a model does. */
const WORK: readonly (readonly [string, (server: ReturnType<typeof timed>) => Promise<Response>])[] = [
  ["a chat", ({ post }) => post(CHAT, { messages: USER_HI })],
  ["a chat's stream", ({ post }) => post(CHAT, { messages: USER_HI, stream: true })],
  ["a completion", ({ post }) => post("/v1/completions", { prompt: "a" })],
  ["a speech", ({ post }) => post("/v1/audio/speech", { input: "Hi", voice: "0" })],
  [
    "an image",
    ({ post }) => post("/v1/images/generations", { prompt: "a cat", response_format: "b64_json" }),
  ],
  ["a rendered prompt", ({ post }) => post("/v0/render", { prompt: "a" })],
  ["an unload", ({ post }) => post("/v0/stop", { model: "tiny" })],
  ["the devices", ({ get }) => get("/v0/system")],
  [
    "a transcript",
    ({ app }) => {
      const form = new FormData()
      form.append("file", new File(["RIFF"], "a.wav"))
      return app.handle(formRequest("/v1/audio/transcriptions", form))
    },
  ],
]

test.each(WORK)("the connection of %s may be silent until it is over, and no longer", async (_name, send) => {
  const server = timed()
  await (await send(server)).arrayBuffer()
  await until(() => server.seconds.length > 1)
  expect(server.seconds).toEqual([0, 60])
})

test("a whole answer's timeout is set back before it leaves: afterwards Bun does not start it", async () => {
  const { post, seconds } = timed()
  await post(CHAT, { messages: USER_HI })
  expect(seconds).toEqual([0, 60])
})

test("so is that of a request that fails", async () => {
  const { post, seconds } = timed(() => {
    throw new TypeError("x")
  })
  expect((await post(CHAT, { messages: USER_HI })).status).toBe(500)
  expect(seconds).toEqual([0, 60])
})

test("a stream's is set back at its end, not at its head", async () => {
  const { post, seconds } = timed(() => answer(["a", "b"]))
  const response = await post(CHAT, { messages: USER_HI, stream: true })
  expect(seconds).toEqual([0])
  await response.text()
  await until(() => seconds.length > 1)
  expect(seconds).toEqual([0, 60])
})

test("a client that disconnects changes nothing about it", async () => {
  const { post, seconds } = timed(async function* (_request, signal): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 1 }
    yield await untilAborted(signal)
  })
  const { next, cancel } = readerOf(await post(CHAT, { messages: USER_HI, stream: true }))
  await next()
  await cancel()
  await until(() => seconds.length > 1)
  expect(seconds).toEqual([0, 60])
})

test("the connection of a client that does not read is closed", async () => {
  const { post, seconds } = timed(async function* (): AsyncGenerator<GenerationEvent> {
    yield { type: "prompt", tokens: 1 }
    for (let count = 0; count < 70; count++)
      yield { type: "delta", choice: 0, part: "text", text: "x".repeat(1024 ** 2), tokens: 1 }
  })
  await post(CHAT, { messages: USER_HI, stream: true })
  await until(() => seconds.length > 1)
  expect(seconds).toEqual([0, 1])
})

test("a request that asks no model keeps the usual one", async () => {
  const { get, post, seconds } = timed()
  await get("/v1/models")
  await post(CHAT, "{")
  expect(seconds).toEqual([])
})
