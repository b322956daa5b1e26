import { describe, expect, test } from "bun:test"
import {
  brotliCompressSync,
  constants,
  deflateSync,
  gzipSync,
  type InputType,
  zstdCompressSync,
} from "node:zlib"
import { errorOf, fakeServer, USER_HI } from "../../support/http"

const CHAT = "/v1/chat/completions"
const MB = 1024 ** 2
const BODY = JSON.stringify({ messages: USER_HI })

type Bytes = Uint8Array<ArrayBuffer>
const plain = (bytes: Uint8Array): Bytes => new Uint8Array(bytes)

const post = (encoding: string, body: Bytes | ReadableStream, server = fakeServer()) =>
  server.post(CHAT, "", {
    body,
    headers: { "content-type": "application/json", "content-encoding": encoding },
  })

const ENCODERS: readonly (readonly [string, (input: InputType) => Uint8Array])[] = [
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["deflate", deflateSync],
  ["br", (input) => brotliCompressSync(input, { params: { [constants.BROTLI_PARAM_QUALITY]: 2 } })],
  ["zstd", zstdCompressSync],
]

describe.each(ENCODERS)("a body that is sent as %s", (encoding, encode) => {
  test("is read", async () => {
    const server = fakeServer()
    expect((await post(encoding, plain(encode(BODY)), server)).status).toBe(200)
    expect(server.engine.lastRequest).toMatchObject({ messages: [{ role: "user", content: "Hi" }] })
  })

  test("is refused where it becomes more than 64 MiB, however little is sent", async () => {
    const bomb = plain(encode(Buffer.alloc(65 * MB, 0x20)))
    expect(bomb.byteLength).toBeLessThan(MB)
    expect(await errorOf(post(encoding, bomb))).toMatchObject({
      ...{ status: 413, code: "payload_too_large", message: "the request body is larger than 64 MiB" },
    })
  })

  test("is refused where it is something else", async () => {
    const error = await errorOf(post(encoding, plain(Buffer.from(BODY))))
    expect(error).toMatchObject({ status: 400, code: "invalid_request_error" })
    expect(error["message"]).toStartWith("the request body does not match its Content-Encoding: ")
  })

  test("is refused where it is cut short", async () => {
    const whole = encode(JSON.stringify({ messages: [{ role: "user", content: "Hi ".repeat(10_000) }] }))
    expect((await post(encoding, plain(whole.subarray(0, whole.length / 2)))).status).toBe(400)
  })
})

test("the name of an encoding may be written in capitals", async () => {
  expect((await post("GZIP", plain(gzipSync(BODY)))).status).toBe(200)
})

test.each(["identity", "", "Identity"])("%p is no encoding", async (encoding) => {
  expect((await post(encoding, plain(Buffer.from(BODY)))).status).toBe(200)
})

test.each(["lz4", "gzip, gzip", "compress", "toString", "x".repeat(1000)])(
  "the encoding %p is refused by its name, with those that are read",
  async (encoding) => {
    const response = await post(encoding, plain(Buffer.from(BODY)))
    expect(response.headers.get("accept-encoding")).toBe("gzip, deflate, br, zstd")
    expect(await errorOf(response)).toMatchObject({
      status: 415,
      code: "unsupported_encoding",
      message:
        `the request body's Content-Encoding '${encoding.slice(0, 40)}' is not supported; ` +
        "send it as one of gzip, deflate, br, zstd, or as it is",
    })
  },
)

test("a compressed body of unknown length is read no further than its limit", async () => {
  let sent = 0
  // Nothing comes out of empty gzip members, so only what is sent can end it.
  const member = gzipSync("")
  const megabyte = new Uint8Array(MB - (MB % member.length))
  for (let at = 0; at < megabyte.length; at += member.length) megabyte.set(member, at)
  const body = new ReadableStream({
    pull(controller) {
      if (++sent > 500) controller.close()
      else controller.enqueue(megabyte)
    },
  })
  expect(await errorOf(post("gzip", body))).toMatchObject({ status: 413 })
  expect(sent).toBeLessThan(120)
})

test("a zstd body that would need a large window is refused before it gets one", async () => {
  const params = { [constants.ZSTD_c_windowLog]: 27 }
  const body = zstdCompressSync(Buffer.alloc(40 * MB), { params })
  expect(await errorOf(post("zstd", plain(body)))).toMatchObject({ status: 400 })
})

test("a compressed form is read", async () => {
  const boundary = "x7"
  const part = (head: string, content: string) => `--${boundary}\r\n${head}\r\n\r\n${content}\r\n`
  const form =
    part('content-disposition: form-data; name="file"; filename="a.wav"', "RIFF") +
    part('content-disposition: form-data; name="prompt"', "words") +
    `--${boundary}--\r\n`
  const { post: send, engine } = fakeServer()
  const headers = {
    "content-type": `multipart/form-data; boundary=${boundary}`,
    "content-encoding": "gzip",
  }
  const response = await send("/v1/audio/transcriptions", "", { body: plain(gzipSync(form)), headers })
  expect(response.status).toBe(200)
  expect(engine.transcriptions[0]?.request).toMatchObject({ prompt: "words" })
})

test("a compressed form with something else in it is refused with its reason", async () => {
  const headers = { "content-type": "multipart/form-data; boundary=x", "content-encoding": "gzip" }
  const body = plain(Buffer.from("--x--"))
  const error = await errorOf(fakeServer().post("/v1/audio/transcriptions", "", { body, headers }))
  expect(error).toMatchObject({
    status: 400,
    message: "the request body does not match its Content-Encoding: the compressed data is damaged",
  })
})
