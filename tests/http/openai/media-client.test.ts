import { afterEach, describe, expect, test } from "bun:test"
import { existsSync, readdirSync } from "node:fs"
import OpenAI from "openai"
import { APIError, APIUserAbortError, BadRequestError, toFile } from "openai"
import type { SpeechEvent } from "../../../src/domain/media/speech"
import { WorkerCrashed } from "../../../src/errors/engine"
import { InvalidRequest } from "../../../src/errors/request"
import { listen, type Listener } from "../../../src/http/server/listen"
import { pictures, speech, transcript, untilAborted } from "../../support/fakes/fake-engine"
import { fakeServer } from "../../support/http"
import { until } from "../../support/until"

const running: Listener[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((listener) => listener.close()))
})

/** A listening server over a scripted engine, and OpenAI's own client for it. */
async function serve() {
  const { app, engine, logged, uploadsFolder } = fakeServer()
  const listener = await listen(app, { host: "127.0.0.1", port: 0 })
  running.push(listener)
  const client = new OpenAI({ baseURL: `${listener.url}/v1`, apiKey: "none", maxRetries: 0 })
  return { listener, engine, client, logged, uploadsFolder }
}

const SPEECH = { model: "joe", voice: "alloy", input: "Hello." }
const failureOf = (asked: Promise<unknown>) => asked.catch((error: unknown) => error)
const audio = () => toFile(Uint8Array.of(1, 2, 3), "talk.wav")

async function* breaking(): AsyncGenerator<SpeechEvent> {
  yield { type: "voice", sampleRate: 16_000, speaker: 0, mime: "audio/mpeg" }
  yield { type: "audio", bytes: new Uint8Array(100), samples: 100 }
  // Everything that was sent has arrived by then.
  await Bun.sleep(50)
  throw new WorkerCrashed("joe", "was killed", [])
}

describe("speech", () => {
  test("comes in chunks while it is made", async () => {
    const { engine, client } = await serve()
    const rest = Promise.withResolvers<void>()
    engine.speechScript = async function* () {
      yield { type: "voice", sampleRate: 16_000, speaker: 0, mime: "audio/mpeg" }
      yield { type: "audio", bytes: Uint8Array.of(1), samples: 1 }
      await rest.promise
      yield* speech([[2], [3]])
    }
    const response = await client.audio.speech.create(SPEECH)
    expect(response.headers.get("content-type")).toBe("audio/mpeg")
    expect(response.headers.get("transfer-encoding")).toBe("chunked")
    rest.resolve()
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([1, 2, 3])
  })

  test("that breaks off does not look like a whole file", async () => {
    const { engine, client } = await serve()
    engine.speechScript = breaking
    const response = await client.audio.speech.create(SPEECH)
    expect(response.status).toBe(200)
    expect(await failureOf(response.arrayBuffer())).toBeInstanceOf(Error)
  })

  test("that is refused is the client's own error", async () => {
    const { engine, client } = await serve()
    engine.speechScript = () => {
      throw new InvalidRequest("voice must be a speaker", "voice")
    }
    const failure = await failureOf(client.audio.speech.create(SPEECH))
    expect(failure).toBeInstanceOf(BadRequestError)
    expect(failure).toMatchObject({ param: "voice" })
  })

  test("ends when its client leaves", async () => {
    const { engine, client } = await serve()
    engine.speechScript = async function* (_request, signal) {
      yield { type: "audio", bytes: Uint8Array.of(1), samples: 1 }
      yield await untilAborted(signal)
    }
    const response = await client.audio.speech.create(SPEECH)
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await engine.speeches[0]?.left
    expect(engine.speeches[0]?.signal.aborted).toBe(true)
  })
})

describe("transcription", () => {
  test("is a text, or more with verbose_json", async () => {
    const { client } = await serve()
    const plain = await client.audio.transcriptions.create({ model: "ears", file: await audio() })
    expect(plain.text).toBe("Hello world.")
    const verbose = await client.audio.transcriptions.create({
      model: "ears",
      file: await audio(),
      response_format: "verbose_json",
      timestamp_granularities: ["segment"],
    })
    expect(verbose.segments?.map(({ text, start }) => [text, start])).toEqual([
      ["Hello", 0],
      ["world.", 1],
    ])
    expect([verbose.duration, verbose.language]).toEqual([2, "english"])
    const srt = await client.audio.transcriptions.create({
      model: "ears",
      file: await audio(),
      response_format: "srt",
    })
    expect(srt as unknown as string).toStartWith("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
  })

  test("streams", async () => {
    const { client } = await serve()
    const stream = await client.audio.transcriptions.create({
      model: "ears",
      file: await audio(),
      stream: true,
    })
    let text = ""
    let done = ""
    for await (const event of stream) {
      if (event.type === "transcript.text.delta") text += event.delta
      if (event.type === "transcript.text.done") done = event.text
    }
    expect([text, done]).toEqual(["Hello world.", "Hello world."])
  })

  test("fails in its stream with the client's own error", async () => {
    const { engine, client } = await serve()
    engine.transcriptionScript = async function* () {
      yield { type: "segment", segment: { index: 0, start: 0, end: 1, text: "Hi" } }
      throw new WorkerCrashed("ears", "was killed", [])
    }
    const stream = await client.audio.transcriptions.create({
      model: "ears",
      file: await audio(),
      stream: true,
    })
    expect(await failureOf(Array.fromAsync(stream))).toBeInstanceOf(APIError)
  })

  test("is into English as a translation", async () => {
    const { engine, client } = await serve()
    await client.audio.translations.create({ model: "ears", file: await audio() })
    expect(engine.transcriptions[0]?.request.task).toBe("translate")
  })

  test("of a large file has all of it", async () => {
    const { engine, client } = await serve()
    const bytes = crypto.getRandomValues(new Uint8Array(60_000))
    const large = new Uint8Array(40 * 1024 ** 2)
    for (let start = 0; start < large.length; start += bytes.length) {
      large.set(bytes.subarray(0, large.length - start), start)
    }
    let isSame = false
    engine.transcriptionScript = async function* ({ audioPath }) {
      isSame = Buffer.from(large).equals(await Bun.file(audioPath).bytes())
      yield* transcript(["Hi"])
    }
    const file = await toFile(large, "long.wav")
    expect((await client.audio.transcriptions.create({ model: "ears", file })).text).toBe("Hi")
    expect(isSame).toBe(true)
  })
})

test("an upload that its client breaks off leaves nothing behind", async () => {
  const { listener, engine, logged, uploadsFolder } = await serve()
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: listener.port ?? 0,
    socket: { data() {} },
  })
  const part = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
  socket.write(
    "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n" +
      `content-type: multipart/form-data; boundary=x\r\n\r\n${part}${"x".repeat(100_000)}`,
  )
  socket.flush()
  const recordings = () =>
    existsSync(uploadsFolder)
      ? readdirSync(uploadsFolder, { recursive: true, encoding: "utf8" }).filter((name) =>
          name.endsWith(".wav"),
        )
      : []
  await until(() => recordings().length === 1)
  socket.terminate()
  await until(() => logged.length === 1 && recordings().length === 0)
  expect(JSON.parse(logged[0] ?? "")).toMatchObject({ status: 499, code: "cancelled" })
  expect(engine.transcriptions).toEqual([])
})

describe("images", () => {
  test("are URLs that can be fetched, or base64", async () => {
    const { client } = await serve()
    const { data: [image] = [] } = await client.images.generate({ model: "brush", prompt: "a cat" })
    const fetched = await fetch(image?.url ?? "")
    expect([fetched.headers.get("content-type"), [...(await fetched.bytes())]]).toEqual(["image/png", [0]])
    const head = await fetch(image?.url ?? "", { method: "HEAD" })
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "1", ""])
    const inline = await client.images.generate({
      model: "brush",
      prompt: "a cat",
      response_format: "b64_json",
    })
    expect(inline.data?.[0]?.b64_json).toBe("AA==")
  })

  test("stream, with unfinished ones on the way", async () => {
    const { engine, client } = await serve()
    engine.imageScript = async function* () {
      yield { type: "step", image: 0, step: 1, steps: 2, preview: Uint8Array.of(9) }
      yield* pictures({ n: 1 })
    }
    const stream = await client.images.generate({
      model: "brush",
      prompt: "a cat",
      stream: true,
      partial_images: 1,
    })
    const images: string[] = []
    for await (const event of stream) if ("b64_json" in event) images.push(event.b64_json)
    expect(images).toEqual(["CQ==", "AA=="])
  })

  test("are edited and varied", async () => {
    const { engine, client } = await serve()
    const image = await toFile(Uint8Array.of(1), "in.png", { type: "image/png" })
    const mask = await toFile(Uint8Array.of(2), "mask.png", { type: "image/png" })
    await client.images.edit({ model: "brush", prompt: "a dog", image, mask })
    await client.images.createVariation({ model: "brush", image })
    expect(engine.drawings.map(({ request }) => [request.prompt, request.source !== undefined])).toEqual([
      ["a dog", true],
      ["", true],
    ])
  })

  test("are given up with their client", async () => {
    const { engine, client } = await serve()
    const begun = Promise.withResolvers<void>()
    engine.imageScript = async function* (_request, signal) {
      begun.resolve()
      yield await untilAborted(signal)
    }
    const controller = new AbortController()
    const asked = failureOf(
      client.images.generate({ model: "brush", prompt: "a cat" }, { signal: controller.signal }),
    )
    await begun.promise
    controller.abort()
    expect(await asked).toBeInstanceOf(APIUserAbortError)
    await engine.drawings[0]?.left
  })
})

test("many speeches at a time keep their bytes apart", async () => {
  const { engine, client } = await serve()
  engine.speechScript = ({ input }) => speech([[Number(input)], [Number(input), 7]])
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const response = await client.audio.speech.create({ ...SPEECH, input: String(index) })
      return [...new Uint8Array(await response.arrayBuffer())]
    }),
  )
  expect(answers).toEqual(Array.from({ length: 20 }, (_, index) => [index, index, 7]))
})
