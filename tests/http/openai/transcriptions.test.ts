import { describe, expect, test } from "bun:test"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { TranscriptionEvent, TranscriptSegment } from "../../../src/domain/media/transcription"
import { WorkerCrashed } from "../../../src/errors/engine"
import { InvalidRequest } from "../../../src/errors/request"
import {
  IMAGE_MODEL,
  RECOGNIZER_MODEL,
  transcript,
  type TranscriptionScript,
  untilAborted,
} from "../../support/fakes/fake-engine"
import { chunksOf, errorOf, fakeServer, formRequest, jsonOf } from "../../support/http"
import { until } from "../../support/until"

const PATH = "/v1/audio/transcriptions"
const TRANSLATIONS = "/v1/audio/translations"

const AUDIO = new File([Uint8Array.of(1, 2, 3)], "talk.MP3")
const PARTS = { file: AUDIO, model: "ears" }

const TIMINGS = { queueMs: 3, loadMs: 4, workMs: 500 }

/** What comes for segments with the times that matter. */
function segments(...all: readonly Omit<TranscriptSegment, "index">[]): TranscriptionScript {
  return async function* (): AsyncGenerator<TranscriptionEvent> {
    yield { type: "audio", seconds: 9 }
    for (const [index, segment] of all.entries()) yield { type: "segment", segment: { index, ...segment } }
    yield { type: "done", language: undefined, usage: { audioSeconds: 9 }, timings: TIMINGS }
  }
}

describe("a transcription", () => {
  test("is the text, and how long the audio was", async () => {
    const { postForm } = fakeServer()
    expect(await jsonOf(postForm(PATH, PARTS))).toEqual({
      text: "Hello world.",
      usage: { type: "duration", seconds: 2 },
    })
  })

  test("is asked for with every field", async () => {
    const { postForm, engine } = fakeServer()
    await postForm(PATH, {
      ...PARTS,
      language: "EN",
      prompt: "xLLM",
      response_format: "verbose_json",
      temperature: "0.4",
      "timestamp_granularities[]": ["word", "segment"],
      keep_alive: "1m",
      chunking_strategy: "auto",
    })
    expect(engine.transcriptions[0]?.request).toEqual({
      kind: "transcription",
      model: "ears",
      audioPath: expect.stringMatching(/\.mp3$/),
      task: "transcribe",
      language: "EN",
      prompt: "xLLM",
      temperature: 0.4,
      wordTimes: true,
      keepAliveSeconds: 60,
      requestId: expect.any(String),
    })
  })

  test("is by the only recogniser there is, where none is named", async () => {
    const { postForm, engine, logged } = fakeServer()
    engine.mediaModels = [IMAGE_MODEL, RECOGNIZER_MODEL]
    await postForm(PATH, { file: AUDIO })
    // The engine decides.
    expect(engine.transcriptions[0]?.request.model).toBeUndefined()
    expect(JSON.parse(logged[0] ?? "")).toMatchObject({ status: 200, model: "ears" })
  })

  test("of silence is an empty text", async () => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = () => transcript([])
    expect(await jsonOf(postForm(PATH, PARTS))).toMatchObject({ text: "" })
  })

  test("has no spaces between what is written without them", async () => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = () => transcript(["今日は。", "良い天気ですね", " ", "Hello", " there"])
    expect(await jsonOf(postForm(PATH, PARTS))).toMatchObject({
      text: "今日は。良い天気ですねHello there",
    })
  })

  test("of a text field is refused like none", async () => {
    const { postForm, engine } = fakeServer()
    const error = await errorOf(postForm(PATH, { model: "ears", file: "abc" }))
    expect(error).toMatchObject({
      status: 400,
      param: "file",
      message: "file must be a part with a file name",
    })
    expect(engine.transcriptions).toEqual([])
  })

  test("into English is a translation", async () => {
    const { postForm, engine } = fakeServer()
    await postForm(TRANSLATIONS, { ...PARTS, prompt: "xLLM", temperature: "0" })
    expect(engine.transcriptions[0]?.request).toMatchObject({
      task: "translate",
      prompt: "xLLM",
      temperature: 0,
    })
  })
})

describe("the form of the answer", () => {
  const two = segments(
    { start: 0.5, end: 61.0625, text: " First <b>, " },
    { start: 3661, end: 3662.9999, text: "R&D --> last\n\n\nline" },
  )

  test.each([
    ["text", "text/plain; charset=utf-8", "First <b>, R&D --> last\n\n\nline\n"],
    [
      "srt",
      "text/plain; charset=utf-8",
      "1\n00:00:00,500 --> 00:01:01,063\nFirst <b>,\n\n2\n01:01:01,000 --> 01:01:03,000\nR&D --> last\nline\n\n",
    ],
    [
      "vtt",
      "text/vtt; charset=utf-8",
      "WEBVTT\n\n00:00:00.500 --> 00:01:01.063\nFirst &lt;b>,\n\n" +
        "01:01:01.000 --> 01:01:03.000\nR&amp;D --&gt; last\nline\n\n",
    ],
  ])("may be %s", async (format, type, body) => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = two
    const response = await postForm(PATH, { ...PARTS, response_format: format })
    expect(response.headers.get("content-type")).toBe(type)
    expect(await response.text()).toBe(body)
  })

  test("may be verbose_json, with segments where nothing else is asked for", async () => {
    const { postForm } = fakeServer()
    const response = postForm(PATH, { ...PARTS, response_format: "verbose_json" })
    expect(await jsonOf(response)).toEqual({
      task: "transcribe",
      language: "english",
      duration: 2,
      text: "Hello world.",
      segments: [
        { id: 0, start: 0, end: 1, text: "Hello", temperature: 0, compression_ratio: 0.385 },
        { id: 1, start: 1, end: 2, text: "world.", temperature: 0, compression_ratio: 0.429 },
      ],
      usage: { type: "duration", seconds: 2 },
    })
  })

  const spoken = segments(
    { start: 0, end: 1, text: "Hi you", words: [{ word: "Hi", start: 0, end: 0.4 }] },
    { start: 1, end: 2, text: "there", words: [{ word: "there", start: 1, end: 2 }] },
  )
  const WORDS = [
    { word: "Hi", start: 0, end: 0.4 },
    { word: "there", start: 1, end: 2 },
  ]

  test("has words where they are asked for, and then no segments unless they are too", async () => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = spoken
    const verbose = { ...PARTS, response_format: "verbose_json" }
    const words = await jsonOf(postForm(PATH, { ...verbose, "timestamp_granularities[]": "word" }))
    expect(words).toMatchObject({ words: WORDS })
    expect(words).not.toHaveProperty("segments")
    const both = await jsonOf(
      postForm(TRANSLATIONS, { ...verbose, "timestamp_granularities[]": ["segment", "word"] }),
    )
    expect(both).toMatchObject({ task: "translate", words: WORDS, segments: [{ id: 0 }, { id: 1 }] })
  })

  test("tells of no words and no language where the recogniser does not", async () => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = segments({ start: 0, end: 1, text: "Hi" })
    const body = await jsonOf(
      postForm(PATH, { ...PARTS, response_format: "verbose_json", "timestamp_granularities[]": "word" }),
    )
    expect(Object.keys(body).sort()).toEqual(["duration", "task", "text", "usage"])
  })

  test("leaves word times alone where nobody sees them", async () => {
    const { postForm, engine } = fakeServer()
    await postForm(PATH, { ...PARTS, "timestamp_granularities[]": "word" })
    expect(engine.transcriptions[0]?.request.wordTimes).toBe(false)
  })
})

describe("warnings of the recogniser", () => {
  const warned: TranscriptionScript = async function* () {
    yield { type: "segment", segment: { index: 0, seek: 30, start: 0.5, end: 1, text: "Hi" } }
    const warnings = ["the header – lies", "no words"]
    yield { type: "done", language: "en", usage: { audioSeconds: 9 }, timings: TIMINGS, warnings }
  }

  test.each(["json", "verbose_json"])("are in %s", async (format) => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = warned
    const body = await jsonOf(postForm(PATH, { ...PARTS, response_format: format }))
    expect(body).toMatchObject({ text: "Hi", warnings: ["the header – lies", "no words"] })
  })

  test.each(["text", "srt", "vtt"])("are in a header of %s", async (format) => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = warned
    const response = await postForm(PATH, { ...PARTS, response_format: format })
    expect(response.headers.get("x-warning")).toBe("the header ? lies; no words")
  })

  test("are in a stream's last event", async () => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = warned
    const response = await postForm(PATH, { ...PARTS, stream: "true", response_format: "verbose_json" })
    expect(chunksOf(await response.text()).slice(1)).toMatchObject([
      { type: "transcript.text.segment", seek: 30, text: "Hi" },
      { type: "transcript.text.done", warnings: ["the header – lies", "no words"] },
    ])
  })

  test("are not there where there are none", async () => {
    const { postForm } = fakeServer()
    expect(await jsonOf(postForm(PATH, PARTS))).not.toHaveProperty("warnings")
    const response = await postForm(PATH, { ...PARTS, response_format: "text" })
    expect(response.headers.has("x-warning")).toBe(false)
  })
})

describe("a stream", () => {
  test("has a delta for each segment, whose sum is the text", async () => {
    const { postForm } = fakeServer()
    const response = await postForm(PATH, { ...PARTS, stream: "true" })
    expect(response.headers.get("content-type")).toStartWith("text/event-stream")
    expect(chunksOf(await response.text())).toEqual([
      { type: "transcript.text.delta", delta: "Hello" },
      { type: "transcript.text.delta", delta: " world." },
      {
        type: "transcript.text.done",
        text: "Hello world.",
        language: "en",
        usage: { type: "duration", seconds: 2 },
        timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
      },
    ])
  })

  test("has the segments' times with verbose_json", async () => {
    const { postForm } = fakeServer()
    const response = await postForm(PATH, { ...PARTS, stream: "true", response_format: "verbose_json" })
    expect(chunksOf(await response.text()).slice(0, 2)).toEqual([
      { type: "transcript.text.delta", delta: "Hello" },
      {
        type: "transcript.text.segment",
        id: "0",
        start: 0,
        end: 1,
        text: "Hello",
        temperature: 0,
        compression_ratio: 0.385,
      },
    ])
  })

  test("that fails later on ends with an error event", async () => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = async function* () {
      yield { type: "segment", segment: { index: 0, start: 0, end: 1, text: "Hello" } }
      throw new WorkerCrashed("ears", "was killed", [])
    }
    const events = chunksOf(await (await postForm(PATH, { ...PARTS, stream: "true" })).text())
    expect(events).toMatchObject([{ delta: "Hello" }, { error: { code: "worker_crashed" } }])
  })
})

describe("a transcription is refused with the name of the field:", () => {
  test.each([
    [{ file: new File([], "a.wav") }, 400, "file", "file is empty"],
    [{ file: [AUDIO, AUDIO] }, 400, "file", "file must come once"],
    [{ response_format: "xml" }, 400, "response_format", "response_format must be one of json, text, srt"],
    [{ response_format: "diarized_json" }, 400, "response_format", "response_format diarized_json is not"],
    [{ temperature: "hot" }, 400, "temperature", 'temperature must be a number between 0 and 1, got "hot"'],
    [{ temperature: "1.1" }, 400, "temperature", "temperature must be between 0 and 1, got 1.1"],
    [{ language: "e".repeat(65) }, 400, "language", "language must have at most 64 characters, got 65"],
    [{ stream: "maybe" }, 400, "stream", 'stream must be true or false, got "maybe"'],
    [
      { stream: "true", response_format: "srt" },
      400,
      "stream",
      "stream must come with another response_format",
    ],
    [
      { "timestamp_granularities[]": ["word", "letter"] },
      400,
      "timestamp_granularities",
      'timestamp_granularities must be some of word, segment, got "letter"',
    ],
    [{ "include[]": "logprobs" }, 400, "include", "include logprobs is not supported"],
    [{ "known_speaker_names[]": "me" }, 400, "known_speaker_names", "known_speaker_names is not supported"],
    [{ chunking_strategy: "{}" }, 400, "chunking_strategy", "chunking_strategy must be auto"],
    [{ keep_alive: "soon" }, 400, "keep_alive", "keep_alive must be a number of seconds"],
  ])("%#", async (change, status, param, message) => {
    const { postForm, engine, uploadsFolder } = fakeServer()
    const error = await errorOf(postForm(PATH, { ...PARTS, ...change }))
    expect(error).toMatchObject({ status, param })
    expect(error["message"]).toStartWith(message)
    expect(engine.transcriptions).toEqual([])
    await allGone(uploadsFolder)
  })

  test("a missing file", async () => {
    const { postForm } = fakeServer()
    const error = await errorOf(postForm(PATH, { model: "ears" }))
    expect(error).toMatchObject({ status: 400, param: "file", message: "file is required" })
  })

  test("what the recogniser says of the file", async () => {
    const { postForm, engine } = fakeServer()
    engine.transcriptionScript = () => {
      throw new InvalidRequest("the audio is cut short", "file")
    }
    expect(await errorOf(postForm(PATH, PARTS))).toMatchObject({ status: 400, param: "file" })
  })
})

/** Uploaded files that are still there. */
function filesIn(uploads: string): readonly string[] {
  if (!existsSync(uploads)) return []
  return readdirSync(uploads, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".lock"))
    .map(({ name }) => name)
}

/** Files are removed behind the answer. */
function allGone(uploads: string): Promise<boolean> {
  return until(() => filesIn(uploads).length === 0)
}

describe("the uploaded file", () => {
  test("is there as it was sent while the recogniser works, and gone afterwards", async () => {
    const { postForm, engine, uploadsFolder } = fakeServer()
    let seen: Uint8Array | undefined
    engine.transcriptionScript = async function* ({ audioPath }) {
      seen = await Bun.file(audioPath).bytes()
      yield* transcript(["Hi"])
    }
    await postForm(PATH, PARTS)
    expect(seen).toEqual(Uint8Array.of(1, 2, 3))
    await allGone(uploadsFolder)
  })

  test("is below the folder of uploads whatever it is called", async () => {
    const { postForm, engine, uploadsFolder } = fakeServer()
    for (const name of ["../../evil.wav", "/etc/passwd", "a\u0000.wav", "x.w/av", "….wav"]) {
      await postForm(PATH, { ...PARTS, file: new File(["x"], name) })
    }
    for (const { request } of engine.transcriptions) {
      expect(request.audioPath).toStartWith(uploadsFolder)
      expect(request.audioPath.slice(uploadsFolder.length)).toMatch(/^\/[\w-]+\/[\w-]+(\.\w+)?$/)
    }
  })

  test("stays until a stream has ended", async () => {
    const { postForm, engine, uploadsFolder } = fakeServer()
    const held = Promise.withResolvers<void>()
    engine.transcriptionScript = async function* () {
      yield { type: "segment", segment: { index: 0, start: 0, end: 1, text: "Hi" } }
      await held.promise
      yield* transcript([])
    }
    const response = await postForm(PATH, { ...PARTS, stream: "true" })
    expect(filesIn(uploadsFolder)).toHaveLength(1)
    held.resolve()
    await response.text()
    await allGone(uploadsFolder)
  })

  test("is gone when the recogniser fails, and when the client leaves", async () => {
    const { app, postForm, engine, uploadsFolder } = fakeServer()
    engine.transcriptionScript = () => {
      throw new WorkerCrashed("ears", "was killed", [])
    }
    await postForm(PATH, PARTS)
    await allGone(uploadsFolder)
    const begun = Promise.withResolvers<void>()
    engine.transcriptionScript = async function* (_request, signal) {
      begun.resolve()
      yield await untilAborted(signal)
    }
    const client = new AbortController()
    const form = new FormData()
    form.append("file", AUDIO)
    const response = app.handle(formRequest(PATH, form, { signal: client.signal }))
    await begun.promise
    expect(filesIn(uploadsFolder)).toHaveLength(1)
    client.abort()
    expect((await response).status).toBe(499)
    await allGone(uploadsFolder)
  })

  test("of another server that runs is left alone, of one that has ended is removed at the start", async () => {
    const { uploadsFolder, postForm, engine } = fakeServer()
    const held = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    engine.transcriptionScript = async function* () {
      begun.resolve()
      await held.promise
      yield* transcript([])
    }
    const answer = postForm(PATH, PARTS)
    await begun.promise
    const left = join(uploadsFolder, crypto.randomUUID())
    await Bun.write(join(left, "audio.mp3"), "left by a server that was killed")
    const second = fakeServer(undefined, { uploadsFolder })
    await second.uploads.start()
    expect(filesIn(uploadsFolder)).toEqual([expect.stringMatching(/^[\w-]{36}\.mp3$/)])
    held.resolve()
    await answer
    await second.uploads.close()
  })

  test("is kept in a folder where what others have put there stays", async () => {
    const { uploadsFolder, uploads } = fakeServer()
    await Bun.write(join(uploadsFolder, "mine", "talk.mp3"), "of somebody else")
    await Bun.write(join(uploadsFolder, "letter.txt"), "of somebody else")
    await uploads.start()
    await uploads.close()
    expect(filesIn(uploadsFolder)).toEqual(["letter.txt", "talk.mp3"])
  })
})

describe("a form", () => {
  const post = (body: string, type: string) => {
    const server = fakeServer()
    return {
      ...server,
      answer: server.app.handle(
        formRequest(PATH, new FormData(), { body, headers: { "content-type": type } }),
      ),
    }
  }

  test.each([
    ["application/json", "{}", "the Content-Type must be multipart/form-data with a boundary"],
    ["multipart/form-data", "--x--", "the Content-Type must be multipart/form-data with a boundary"],
    ["multipart/form-data; boundary=x", "", "the form cannot be read"],
    ["multipart/form-data; boundary=x", "nothing like it", "the form cannot be read"],
    [
      "multipart/form-data; boundary=x",
      '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
      "the form cannot be read",
    ],
    [
      "multipart/form-data; boundary=x",
      '--x\r\ncontent-disposition: form-data; name="f',
      "the form cannot be read",
    ],
    ["multipart/form-data; boundary=x", "--x--\r\n", "file is required"],
  ])("that is broken is refused: %s %j", async (type, body, message) => {
    const { answer, uploadsFolder } = post(body, type)
    const error = await errorOf(answer)
    expect(error).toMatchObject({ status: 400, code: "invalid_request_error" })
    expect(error["message"]).toStartWith(message)
    await allGone(uploadsFolder)
  })

  const WHOLE = new TextEncoder().encode(
    '--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nears\r\n' +
      '--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n' +
      "\r\nabc\r\n--x--\r\n",
  )

  async function statusOf(
    server: ReturnType<typeof fakeServer>,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<number> {
    const headers = { "content-type": "multipart/form-data; boundary=x" }
    return (await server.app.handle(formRequest(PATH, new FormData(), { headers, body }))).status
  }

  test("that is cut anywhere is refused, and one that is damaged is refused or understood", async () => {
    const server = fakeServer()
    for (let length = 0; length < WHOLE.length - 4; length++) {
      expect([length, await statusOf(server, WHOLE.slice(0, length))]).toEqual([length, 400])
    }
    expect(await statusOf(server, WHOLE)).toBe(200)
    let state = 1
    const random = (limit: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return (state >>> 8) % limit
    }
    for (let round = 0; round < 500; round++) {
      const damaged = WHOLE.slice()
      for (let change = 0; change <= round % 6; change++) damaged[random(damaged.length)] = random(256)
      expect([200, 400]).toContain(await statusOf(server, damaged))
    }
    await allGone(server.uploadsFolder)
  })

  test("may have parts that nobody asks for, before and after", async () => {
    const { postForm, engine } = fakeServer()
    const response = await postForm(PATH, {
      other: new File(["x".repeat(200_000)], "o"),
      ...PARTS,
      user: "me",
    })
    expect(response.status).toBe(200)
    expect(engine.transcriptions).toHaveLength(1)
  })

  test("has at most 200 parts", async () => {
    const { postForm } = fakeServer()
    const many = new Array<string>(201).fill("x")
    expect(await errorOf(postForm(PATH, { ...PARTS, many }))).toMatchObject({
      status: 400,
      message: "the form has more than 200 parts",
    })
  })

  test("has no text of more than 128 KiB, and no name of more than 100 characters", async () => {
    const { postForm } = fakeServer()
    expect(await errorOf(postForm(PATH, { ...PARTS, prompt: "x".repeat(128 * 1024 + 1) }))).toMatchObject({
      status: 400,
      param: "prompt",
    })
    expect(await errorOf(postForm(PATH, { ...PARTS, ["n".repeat(101)]: "x" }))).toMatchObject({
      status: 400,
      message: "the form has a name of more than 100 characters",
    })
  })

  test("sets no fields that objects have from birth", async () => {
    const { postForm } = fakeServer()
    expect((await postForm(PATH, { ...PARTS, __proto__: "x", constructor: "y" })).status).toBe(200)
  })
})

describe("a form larger than limits.upload", () => {
  const settings = { uploadLimitBytes: 1024 ** 2 }
  const large = new Uint8Array(1024 ** 2 + 1)
  const error = {
    status: 413,
    code: "payload_too_large",
    message: "the request body is larger than 1 MiB (the server's limits.upload)",
  }

  test("is refused by its declared length", async () => {
    const { app, uploadsFolder } = fakeServer(undefined, { settings })
    const headers = {
      "content-type": "multipart/form-data; boundary=x",
      "content-length": String(large.byteLength),
    }
    expect(
      await errorOf(app.handle(formRequest(PATH, new FormData(), { headers, body: "x" }))),
    ).toMatchObject(error)
    await allGone(uploadsFolder)
  })

  test("is refused while it is read where it declares none, and leaves nothing behind", async () => {
    const { app, uploadsFolder } = fakeServer(undefined, { settings })
    const encoder = new TextEncoder()
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1
        if (sent === 1) {
          const head = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
          controller.enqueue(encoder.encode(head))
        } else if (sent > 500) controller.close()
        else controller.enqueue(new Uint8Array(64 * 1024))
      },
    })
    const headers = { "content-type": "multipart/form-data; boundary=x" }
    expect(await errorOf(app.handle(formRequest(PATH, new FormData(), { headers, body })))).toMatchObject(
      error,
    )
    expect(sent).toBeLessThan(60)
    await allGone(uploadsFolder)
  })

  test("is taken where it may be as large", async () => {
    const { postForm } = fakeServer(undefined, { settings: { uploadLimitBytes: 4 * 1024 ** 2 } })
    expect((await postForm(PATH, { ...PARTS, file: new File([large], "a.wav") })).status).toBe(200)
  })
})

describe("a form from a web page", () => {
  const from = (origin: string, settings = {}) => {
    const { postForm } = fakeServer(undefined, { settings })
    return postForm(PATH, PARTS, { headers: { origin, host: "localhost" } })
  }

  test.each(["https://evil.example", "null"])(
    "of %s is refused: browsers send forms without asking",
    async (origin) => {
      expect(await errorOf(from(origin))).toMatchObject({ status: 403, code: "origin_not_allowed" })
    },
  )

  test("on this machine, of the server itself and of a configured origin is taken", async () => {
    expect((await from("http://localhost:5173")).status).toBe(200)
    expect((await from("https://localhost")).status).toBe(200)
    expect((await from("https://app.example", { corsOrigins: ["https://app.example"] })).status).toBe(200)
  })
})

test("the log has the length of the audio, and the text where content is logged", async () => {
  const quiet = fakeServer()
  await quiet.postForm(PATH, PARTS)
  expect(JSON.parse(quiet.logged[0] ?? "")).toMatchObject({ model: "ears", audioSeconds: 2 })
  expect(quiet.logged[0]).not.toContain("Hello")
  const open = fakeServer(undefined, { settings: { logContent: true } })
  await open.postForm(PATH, { ...PARTS, stream: "true" }).then((response) => response.text())
  expect(JSON.parse(open.logged[0] ?? "")).toMatchObject({ answer: "Hello world." })
})
