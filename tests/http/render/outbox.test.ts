import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test"
import type { GenerationEvent } from "../../../src/domain/chat"
import type { SpeechEvent } from "../../../src/domain/media/speech"
import { InternalError } from "../../../src/errors/base"
import { Outbox, PLAYER_STALL_MS, STALL_MS } from "../../../src/http/render/outbox"
import { untilAborted } from "../../support/fakes/fake-engine"
import { fakeServer, USER_HI } from "../../support/http"

const MB = 1024 ** 2

beforeEach(() => void jest.useFakeTimers())
afterEach(() => void jest.useRealTimers())

/** An outbox and a client that reads what it asks for. */
function outbox(stallMs?: number) {
  const client = new AbortController()
  const box = new Outbox({ client, ...(stallMs !== undefined && { stallMs }) })
  const reader = box.body.getReader()
  return { box, client, read: async () => (await reader.read()).value, cancel: () => reader.cancel() }
}

const bytes = (text: string) => new TextEncoder().encode(text)
const textOf = (chunk: Uint8Array | undefined) => new TextDecoder().decode(chunk)

/** Lets everything run that waits for nothing but promises. */
async function settle() {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve()
}

describe("what is sent", () => {
  test("leaves at once for a client that waits for it", async () => {
    const { box, read } = outbox()
    const [first] = [read()]
    box.send(bytes("a"))
    expect(textOf(await first)).toBe("a")
  })

  test("arrives in order and whole, whenever it is fetched", async () => {
    const { box, read } = outbox()
    for (const text of ["a", "b", "c"]) box.send(bytes(text))
    const ended = box.end()
    expect(textOf(await read())).toBe("abc")
    expect(await read()).toBeUndefined()
    expect(await ended).toBeUndefined()
  })

  test("is handed over in parts where it is large", async () => {
    const { box, read } = outbox()
    const large = Uint8Array.from({ length: 300_000 }, (_, index) => index)
    box.send(large)
    void box.end()
    const parts: Uint8Array[] = []
    for (let part = await read(); part !== undefined; part = await read()) parts.push(part)
    expect(Math.max(...parts.map(({ length }) => length))).toBe(16 * 1024)
    expect(Buffer.concat(parts).equals(large)).toBe(true)
  })

  test("after a failure is missing, and so is the end", async () => {
    const { box, read } = outbox()
    box.send(bytes("half"))
    expect(textOf(await read())).toBe("half")
    box.fail(new InternalError("broken"))
    expect(await read().catch((error: unknown) => error)).toMatchObject({ message: "broken" })
  })
})

describe("a client that does not read", () => {
  test("is given up when more than 1 MB has waited for 30 s", async () => {
    const { box, client } = outbox()
    box.send(new Uint8Array(MB))
    jest.advanceTimersByTime(10 * STALL_MS)
    expect(client.signal.aborted).toBe(false)
    box.send(new Uint8Array(MB))
    jest.advanceTimersByTime(STALL_MS)
    expect(client.signal.reason).toMatchObject({ code: "client_stalled", status: 499 })
    expect(await box.end()).toBe(client.signal.reason)
  })

  test("is told of in words", () => {
    const { box, client } = outbox()
    box.send(new Uint8Array(1.5 * MB))
    jest.advanceTimersByTime(STALL_MS)
    expect(client.signal.reason).toMatchObject({
      message: "the client stopped reading: 1.5 MB were unsent, and nothing was read for 30 s",
    })
  })

  test("is given up at once when 64 MB wait", () => {
    const { box, client } = outbox()
    for (let count = 0; count < 64; count++) box.send(new Uint8Array(MB))
    expect(client.signal.aborted).toBe(false)
    box.send(bytes("x"))
    expect(client.signal.reason).toMatchObject({
      code: "client_stalled",
      message: "the client reads too slowly: 64.0 MB were unsent",
    })
  })

  test("is given up for less when there is nothing more to come", async () => {
    const { box, client } = outbox()
    box.send(bytes("the end"))
    const ended = box.end()
    jest.advanceTimersByTime(STALL_MS)
    expect(await ended).toMatchObject({ code: "client_stalled" })
    expect(client.signal.aborted).toBe(true)
  })

  test("has longer where it plays what it reads", () => {
    const { box, client } = outbox(PLAYER_STALL_MS)
    box.send(new Uint8Array(2 * MB))
    jest.advanceTimersByTime(PLAYER_STALL_MS - 1)
    expect(client.signal.aborted).toBe(false)
    jest.advanceTimersByTime(1)
    expect(client.signal.aborted).toBe(true)
  })
})

test("a client that reads slowly is waited for, however much there is", async () => {
  const { box, client, read } = outbox()
  box.send(new Uint8Array(8 * MB))
  let length = 0
  for (let turn = 0; turn < 100; turn++) {
    jest.advanceTimersByTime(STALL_MS - 1)
    length += (await read())?.length ?? 0
  }
  expect(client.signal.aborted).toBe(false)
  expect(length).toBe(100 * 16 * 1024)
})

test("a client that was slow and has caught up is not counted against later", async () => {
  const { box, client, read } = outbox()
  box.send(new Uint8Array(2 * MB))
  jest.advanceTimersByTime(STALL_MS - 1)
  for (let length = 0; length < 2 * MB; length += (await read())?.length ?? 0);
  box.send(new Uint8Array(MB))
  jest.advanceTimersByTime(10 * STALL_MS)
  expect(client.signal.aborted).toBe(false)
})

test("a client that disconnects ends it, and nothing is kept for it", async () => {
  const { box, client, cancel } = outbox()
  box.send(new Uint8Array(2 * MB))
  await cancel()
  expect(client.signal.aborted).toBe(true)
  expect(await box.end()).toMatchObject({ code: "cancelled" })
})

/** Says so much as long as somebody wants to hear it. */
async function* endless(_request: unknown, signal: AbortSignal): AsyncGenerator<GenerationEvent> {
  yield { type: "prompt", tokens: 1 }
  for (let count = 0; count < 24; count++)
    yield { type: "delta", choice: 0, part: "text", text: "x".repeat(MB / 8), tokens: 1 }
  yield await untilAborted(signal)
}

const parsed = (logged: readonly string[]) => logged.map((line) => JSON.parse(line) as unknown)

test("a text that nobody fetches is not generated on, and the log says why", async () => {
  const { post, engine, logged } = fakeServer(endless)
  const response = await post("/v1/chat/completions", { messages: USER_HI, stream: true })
  await settle()
  jest.advanceTimersByTime(STALL_MS)
  await engine.calls[0]?.left
  await settle()
  expect(engine.calls[0]?.signal.aborted).toBe(true)
  expect(parsed(logged)).toMatchObject([{ level: "info", status: 200, code: "client_stalled", tokens: 24 }])
  expect(await response.text().catch((error: unknown) => error)).toMatchObject({ code: "client_stalled" })
})

test.each(["audio", "sse"])("speech as %s that nobody fetches is not spoken on", async (stream_format) => {
  const { post, engine, logged } = fakeServer()
  engine.speechScript = async function* (_request, signal): AsyncGenerator<SpeechEvent> {
    yield { type: "voice", sampleRate: 16_000, speaker: 0, mime: "audio/wav" }
    for (let count = 0; count < 3; count++) yield { type: "audio", bytes: new Uint8Array(MB), samples: 1 }
    yield await untilAborted(signal)
  }
  await post("/v1/audio/speech", { input: "Hi", voice: "0", stream_format })
  await settle()
  jest.advanceTimersByTime(PLAYER_STALL_MS - 1)
  await settle()
  expect(logged).toEqual([])
  jest.advanceTimersByTime(1)
  await engine.speeches[0]?.left
  await settle()
  expect(parsed(logged)).toMatchObject([{ level: "info", status: 200, code: "client_stalled" }])
})
