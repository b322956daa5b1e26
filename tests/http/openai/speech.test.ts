import { describe, expect, test } from "bun:test"
import type { SpeechEvent } from "../../../src/domain/media/speech"
import { WorkerCrashed } from "../../../src/errors/engine"
import { InvalidRequest, QueueFull } from "../../../src/errors/request"
import { IMAGE_MODEL, speech, untilAborted, VOICE_MODEL } from "../../support/fakes/fake-engine"
import { chunksOf, errorOf, fakeServer, postRequest } from "../../support/http"

const PATH = "/v1/audio/speech"
const REQUEST = { model: "joe", input: "Hello, world." }

/** What is told before the first sound. */
const VOICE = { type: "voice", sampleRate: 16_000, speaker: 0, mime: "audio/mpeg" } as const

const sound = (...bytes: number[]): SpeechEvent => ({
  type: "audio",
  bytes: Uint8Array.from(bytes),
  samples: bytes.length,
})

describe("speech", () => {
  test("is a file of the voice's type, and all of its bytes in their order", async () => {
    const { post } = fakeServer()
    const response = await post(PATH, REQUEST)
    expect(response.status).toBe(200)
    expect(response.headers.get("content-type")).toBe("audio/mpeg")
    expect(response.headers.get("content-length")).toBeNull()
    expect(response.headers.get("x-sample-rate")).toBe("16000")
    expect([...(await response.bytes())]).toEqual([1, 2, 3])
  })

  test("is asked for with every field", async () => {
    const { post, engine } = fakeServer()
    await post(PATH, {
      ...REQUEST,
      voice: "amy",
      response_format: "flac",
      speed: 1.5,
      instructions: "Speak up.",
      stream_format: "audio",
      keep_alive: "5m",
    })
    expect(engine.speeches[0]?.request).toEqual({
      kind: "speech",
      model: "joe",
      input: "Hello, world.",
      voice: "amy",
      format: "flac",
      speed: 1.5,
      keepAliveSeconds: 300,
      requestId: expect.any(String),
    })
  })

  test.each([
    [{ response_format: "pcm" }, { sampleRate: 24_000 }],
    [{ response_format: "pcm", sample_rate: 16_000 }, { sampleRate: 16_000 }],
    [{ response_format: "wav", sample_rate: 8000 }, { sampleRate: 8000 }],
    [{ raw_text: true }, { rawText: true }],
    [{ response_format: "wav" }, {}],
  ])("%p asks for %p", async (fields, expected) => {
    const { post, engine } = fakeServer()
    await post(PATH, { ...REQUEST, ...fields })
    const { sampleRate, rawText } = engine.speeches[0]?.request ?? {}
    expect({
      ...(sampleRate !== undefined && { sampleRate }),
      ...(rawText !== undefined && { rawText }),
    }).toEqual(expected)
  })

  test.each([7999, 48_001, 16_000.5, "16000"])("the sample rate %p is refused", async (sample_rate) => {
    const { post } = fakeServer()
    const response = await post(PATH, { ...REQUEST, sample_rate })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { param: "sample_rate" } })
  })

  test("is mp3 at the voice's own speed where nothing else is said", async () => {
    const { post, engine } = fakeServer()
    await post(PATH, REQUEST)
    expect(engine.speeches[0]?.request).toMatchObject({ format: "mp3", speed: 1 })
    expect(engine.speeches[0]?.request.voice).toBeUndefined()
  })

  test.each([
    ["7", "7"],
    [7, "7"],
    [{ id: "voice_1" }, "voice_1"],
  ])("takes the voice %j", async (voice, named) => {
    const { post, engine } = fakeServer()
    await post(PATH, { ...REQUEST, voice })
    expect(engine.speeches[0]?.request.voice).toBe(named)
  })

  test.each(["mp3", "opus", "aac", "flac", "wav", "pcm"] as const)("comes as %s", async (format) => {
    const { post, engine } = fakeServer()
    expect((await post(PATH, { ...REQUEST, response_format: format })).status).toBe(200)
    expect(engine.speeches[0]?.request.format).toBe(format)
  })

  test("is spoken by the only voice there is, where none is named", async () => {
    const { post, engine, logged } = fakeServer()
    engine.mediaModels = [VOICE_MODEL, IMAGE_MODEL]
    await (await post(PATH, { input: "Hi" })).bytes()
    // The engine decides.
    expect(engine.speeches[0]?.request.model).toBeUndefined()
    expect(JSON.parse(logged[0] ?? "")).toMatchObject({ status: 200, model: "joe" })
  })

  test("leaves as it is made: the first bytes do not wait for the rest", async () => {
    const rest = Promise.withResolvers<void>()
    const { post, engine } = fakeServer()
    engine.speechScript = async function* () {
      yield VOICE
      yield sound(1)
      await rest.promise
      yield* speech([[2]])
    }
    const reader = (await post(PATH, REQUEST)).body?.getReader()
    expect((await reader?.read())?.value).toEqual(Uint8Array.of(1))
    rest.resolve()
    expect((await reader?.read())?.value).toEqual(Uint8Array.of(2))
    expect((await reader?.read())?.done).toBe(true)
  })

  test("is never compressed", async () => {
    const { app, engine } = fakeServer()
    engine.speechScript = () => speech([new Array<number>(50_000).fill(0)], "audio/wav")
    const request = postRequest(PATH, REQUEST)
    request.headers.set("accept-encoding", "gzip")
    const response = await app.handle(request)
    expect(response.headers.get("content-encoding")).toBeNull()
    expect((await response.bytes()).length).toBe(50_000)
  })
})

describe("what could not be spoken", () => {
  const warnings = ["left out characters that this voice cannot speak: 'м' (U+043C)"]

  async function* partly() {
    for await (const event of speech([[1]]))
      yield event.type === "voice" || event.type === "done" ? { ...event, warnings } : event
  }

  test("is in a header of a file", async () => {
    const { post, engine } = fakeServer()
    engine.speechScript = partly
    const response = await post(PATH, REQUEST)
    expect(response.headers.get("x-warning")).toBe(
      "left out characters that this voice cannot speak: '?' (U+043C)",
    )
    expect([...(await response.bytes())]).toEqual([1])
  })

  test("is in the last event of a stream", async () => {
    const { post, engine } = fakeServer()
    engine.speechScript = partly
    const events = chunksOf(await (await post(PATH, { ...REQUEST, stream_format: "sse" })).text())
    expect(events.at(-1)).toMatchObject({ type: "speech.audio.done", warnings })
  })
})

describe("speech as events", () => {
  test("brings the same bytes as base64, and how much it was", async () => {
    const { post } = fakeServer()
    const response = await post(PATH, { ...REQUEST, stream_format: "sse" })
    expect(response.headers.get("content-type")).toStartWith("text/event-stream")
    expect(chunksOf(await response.text())).toEqual([
      { type: "speech.audio.delta", audio: "AQI=" },
      { type: "speech.audio.delta", audio: "Aw==" },
      {
        type: "speech.audio.done",
        usage: { type: "duration", seconds: 1, characters: 12, sentences: 2 },
        timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
      },
    ])
  })

  test("ends with an error event where it fails later on", async () => {
    const { post, engine } = fakeServer()
    engine.speechScript = async function* () {
      yield VOICE
      yield sound(1)
      throw new WorkerCrashed("joe", "was killed", [])
    }
    const events = chunksOf(await (await post(PATH, { ...REQUEST, stream_format: "sse" })).text())
    expect(events).toMatchObject([{ type: "speech.audio.delta" }, { error: { code: "worker_crashed" } }])
  })
})

describe("a speech is refused with the name of the field:", () => {
  test.each([
    [{ input: undefined }, "input", "input is required"],
    [{ input: "" }, "input", "input must not be blank"],
    [{ input: " \n\t" }, "input", "input must not be blank"],
    [{ input: 5 }, "input", "input must be a string, got 5"],
    [{ input: "\ud800" }, "input", "input is not valid Unicode: it has a lone surrogate"],
    [{ input: "x".repeat(250_001) }, "input", "input must have at most 250000 characters, got 250001"],
    [
      { response_format: "mp4" },
      "response_format",
      'response_format must be one of mp3, opus, aac, flac, wav, pcm, got "mp4"',
    ],
    [{ speed: 0.24 }, "speed", "speed must be between 0.25 and 4, got 0.24"],
    [{ speed: 4.01 }, "speed", "speed must be between 0.25 and 4, got 4.01"],
    [{ speed: "fast" }, "speed", 'speed must be a number between 0.25 and 4, got "fast"'],
    [{ voice: "" }, "voice", `voice must be a speaker's name or number, got ""`],
    [{ voice: 1.5 }, "voice", "voice must be a speaker's name or number, got 1.5"],
    [{ voice: {} }, "voice", "voice must be a speaker's name or number, got an object"],
    [{ instructions: 5 }, "instructions", "instructions must be a string, got 5"],
    [{ stream_format: "ws" }, "stream_format", 'stream_format must be one of audio, sse, got "ws"'],
    [{ model: "" }, "model", "model must not be empty"],
  ])("%j", async (change, param, message) => {
    const { post, engine } = fakeServer()
    const error = await errorOf(post(PATH, { ...REQUEST, ...change }))
    expect(error).toMatchObject({ status: 400, type: "invalid_request_error", param, message })
    expect(engine.speeches).toEqual([])
  })

  test("250,000 characters are not too many, however many bytes they take", async () => {
    const { post } = fakeServer()
    expect((await post(PATH, { ...REQUEST, input: "🙂".repeat(250_000) })).status).toBe(200)
    // As clients write that send ASCII only.
    const escaped = `{"model":"joe","input":"${"\\ud83d\\ude42".repeat(250_000)}"}`
    expect((await post(PATH, escaped)).status).toBe(200)
  })
})

describe("a speech that fails", () => {
  test("before its first byte is a plain HTTP error, however late that is", async () => {
    const { post, engine } = fakeServer()
    engine.speechScript = async function* () {
      yield { type: "loading", fraction: 0.5 }
      yield VOICE
      throw new InvalidRequest("voice must be one of amy, joe, got bob", "voice")
    }
    expect(await errorOf(post(PATH, { ...REQUEST, voice: "bob" }))).toMatchObject({
      status: 400,
      param: "voice",
    })
  })

  test("because too many wait says when to come back", async () => {
    const { post, engine } = fakeServer()
    engine.speechScript = () => {
      throw new QueueFull("joe", 10, 3)
    }
    const response = await post(PATH, REQUEST)
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "3"])
  })

  test("without a sound is an error, not an empty file", async () => {
    const { post, engine } = fakeServer()
    engine.speechScript = () => speech([[]])
    expect(await errorOf(post(PATH, REQUEST))).toMatchObject({ status: 500, code: "internal_error" })
  })

  test("later on breaks its body off, and is told in the log", async () => {
    const { post, engine, logged } = fakeServer()
    engine.speechScript = async function* () {
      yield VOICE
      yield sound(1)
      throw new WorkerCrashed("joe", "was killed", [])
    }
    const response = await post(PATH, REQUEST)
    expect(response.status).toBe(200)
    await expect(response.bytes()).rejects.toThrow("the worker of model 'joe' was killed")
    expect(JSON.parse(logged[0] ?? "")).toMatchObject({ level: "error", code: "worker_crashed" })
  })

  test("to tell its end is no whole file either", async () => {
    const { post, engine } = fakeServer()
    engine.speechScript = async function* () {
      yield VOICE
      yield sound(1)
    }
    await expect((await post(PATH, REQUEST)).bytes()).rejects.toThrow("broke off")
  })
})

describe("a client that leaves", () => {
  const endless = async function* (_request: unknown, signal: AbortSignal): AsyncGenerator<SpeechEvent> {
    yield VOICE
    yield sound(1)
    yield await untilAborted(signal)
  }

  test("in the middle ends the speech", async () => {
    const { post, engine, logged } = fakeServer()
    engine.speechScript = endless
    await (await post(PATH, REQUEST)).body?.cancel()
    await engine.speeches[0]?.left
    expect(engine.speeches[0]?.signal.aborted).toBe(true)
    expect(JSON.parse(logged[0] ?? "")).toMatchObject({ code: "cancelled" })
  })

  test("before the first byte ends it too", async () => {
    const { app, engine } = fakeServer()
    engine.speechScript = async function* (_request, signal) {
      yield await untilAborted(signal)
    }
    const client = new AbortController()
    const response = app.handle(postRequest(PATH, REQUEST, { signal: client.signal }))
    client.abort()
    expect((await response).status).toBe(499)
    await engine.speeches[0]?.left
  })
})

describe("the log of a speech", () => {
  test("has its length, and not its text", async () => {
    const { post, logged } = fakeServer()
    await (await post(PATH, REQUEST)).bytes()
    const line: unknown = JSON.parse(logged[0] ?? "")
    expect(line).toMatchObject({ model: "joe", characters: 12, sentences: 2, audioSeconds: 1 })
    expect(logged[0]).not.toContain("Hello")
    expect(line).not.toHaveProperty("tokens")
  })

  test("has the text where content is logged", async () => {
    const { post, logged } = fakeServer(undefined, { settings: { logContent: true } })
    await (await post(PATH, REQUEST)).bytes()
    expect(JSON.parse(logged[0] ?? "")).toMatchObject({ prompts: ["Hello, world."] })
  })
})
