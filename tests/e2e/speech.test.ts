import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import OpenAI from "openai"
import { APIError, BadRequestError, toFile } from "openai"
import { writeTinyAsrModel } from "../support/files/tiny-asr-model"
import { writeTinyTtsModel } from "../support/files/tiny-tts-model"
import { Installation, type InstalledServer } from "../support/installation"
import { hasFfmpeg } from "../support/real/ffmpeg"
import { until } from "../support/until"

const SENTENCES = ["hello all, good moon.", "second sentence!", "and a third?"]
const TEXT = SENTENCES.join(" ")
/** The pause between sentences is no character's tone, so nothing is heard of it. */
const WORDS = SENTENCES.map((sentence) => sentence.replace(/[^a-z ]/g, "")).join("")

/** AAC is read with ffmpeg, which is looked for on PATH. */
const FFMPEG = Bun.which("ffmpeg")
const FORMATS = ["mp3", "opus", "flac", "wav", ...(hasFfmpeg() ? (["aac"] as const) : [])] as const

/** So many sentences that nobody could have spoken all of them yet. */
const LONG = "a long text that goes on and on. ".repeat(120)

let xllm: Installation
let server: InstalledServer
let client: OpenAI

beforeAll(async () => {
  xllm = await Installation.create()
  writeTinyTtsModel(join(xllm.models, "tones"))
  writeTinyAsrModel(join(xllm.models, "ears"))
  const environment = FFMPEG === null ? {} : { PATH: dirname(FFMPEG) }
  server = await xllm.serve([], { environment })
  client = server.client()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  xllm[Symbol.dispose]()
})

const SPEECH = { model: "tones", voice: "0", input: TEXT }

async function spoken(change: Partial<OpenAI.Audio.SpeechCreateParams> = {}): Promise<Uint8Array> {
  const response = await client.audio.speech.create({ ...SPEECH, ...change })
  return new Uint8Array(await response.arrayBuffer())
}

async function textOf(audio: Uint8Array, name: string): Promise<string> {
  const file = await toFile(audio, name)
  return (await client.audio.transcriptions.create({ model: "ears", file })).text
}

const failureOf = (asked: Promise<unknown>) => asked.catch((error: unknown) => error)

/** Files that came with requests and are still there. */
function uploadsLeft(): readonly string[] {
  const entries = readdirSync(join(xllm.home, ".xllm/uploads"), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile() && !entry.name.endsWith(".lock")).map(({ name }) => name)
}

describe("what the executable says is what it hears", () => {
  test.each(FORMATS)("as %s", async (format) => {
    expect(await textOf(await spoken({ response_format: format }), `speech.${format}`)).toBe(WORDS)
  })

  test("as raw samples, which are those of the WAV at its rate, and OpenAI's rate by default", async () => {
    const raw = async (change: object) =>
      Buffer.from(await (await server.post("/v1/audio/speech", { ...SPEECH, ...change })).arrayBuffer())
    const wav = await raw({ response_format: "wav" })
    const same = await raw({ response_format: "pcm", sample_rate: 16_000 })
    expect(same.equals(wav.subarray(44))).toBe(true)
    const usual = await raw({ response_format: "pcm" })
    expect(usual.length / same.length).toBeCloseTo(24_000 / 16_000, 2)
  })

  test("at half the speed and at twice", async () => {
    const [slow, fast] = [
      await spoken({ speed: 0.5, response_format: "pcm" }),
      await spoken({ speed: 2, response_format: "pcm" }),
    ]
    expect(slow.length / fast.length).toBeGreaterThan(3.5)
    expect(await textOf(await spoken({ speed: 0.5, response_format: "wav" }), "slow.wav")).toBe(WORDS)
  })

  test("through the commands, with and without a server", async () => {
    const flags = { environment: { XLLM_HOST: server.url } }
    const remote = await xllm.run(["speak", "tones", TEXT, "-o", "remote.mp3"], flags)
    expect(remote).toEqual({ out: "", err: "", code: 0 })
    const heard = await xllm.run(["transcribe", "ears", "remote.mp3"], flags)
    expect(heard).toEqual({ out: `${WORDS}\n`, err: "", code: 0 })

    const nowhere = { environment: { XLLM_PORT: "1" } }
    expect((await xllm.run(["speak", "tones", TEXT, "-o", "local.flac"], nowhere)).code).toBe(0)
    const srt = await xllm.run(["transcribe", "ears", "local.flac", "--format", "srt"], nowhere)
    expect(srt.out).toStartWith("1\n00:00:0")
    expect(srt.out).toContain("hello all")
    const path = join(xllm.models, "tones")
    const byPath = await xllm.run(["speak", path, TEXT, "-o", "path.wav", "--json"], nowhere)
    expect(JSON.parse(byPath.out)).toMatchObject({ format: "wav", sentences: SENTENCES.length })
    // The sizes in its head are those of the file.
    const wav = readFileSync(join(xllm.folder, "path.wav"))
    expect([wav.readUInt32LE(4), wav.readUInt32LE(40)]).toEqual([wav.length - 8, wav.length - 44])
  })
})

describe("speech", () => {
  test("leaves before all of it is spoken", async () => {
    const response = await client.audio.speech.create({ ...SPEECH, input: LONG, response_format: "pcm" })
    expect(response.headers.get("transfer-encoding")).toBe("chunked")
    const reader = response.body?.getReader()
    const { value } = (await reader?.read()) ?? {}
    const requests = (await server.loaded()).find(({ name }) => name === "tones")?.active_requests
    expect([value !== undefined && value.length > 0, requests]).toEqual([true, 1])
    await reader?.cancel()
    await until(async () => (await server.loaded()).every(({ active_requests }) => active_requests === 0))
  })

  test("as events has the same bytes as the file", async () => {
    const response = await server.post("/v1/audio/speech", {
      ...SPEECH,
      response_format: "wav",
      stream_format: "sse",
    })
    const events = (await response.text()).split("\n\n").filter((event) => event.startsWith("data: "))
    const data = events.map((event) => JSON.parse(event.slice(6)) as Record<string, unknown>)
    const bytes = Buffer.concat(
      data.map(({ audio }) => (typeof audio === "string" ? Buffer.from(audio, "base64") : new Uint8Array())),
    )
    expect(bytes.equals(await spoken({ response_format: "wav" }))).toBe(true)
    expect(data.at(-1)).toMatchObject({
      type: "speech.audio.done",
      usage: { characters: TEXT.length, sentences: SENTENCES.length },
    })
  })

  test.each([
    [{ voice: "bob" }, "voice"],
    [{ voice: "99" }, "voice"],
    [{ input: "" }, "input"],
    [{ input: "x".repeat(1_000_001) }, "input"],
    [{ speed: 5 }, "speed"],
    [{ response_format: "mp4" as "mp3" }, "response_format"],
  ])("is refused for %j", async (change, param) => {
    const failure = await failureOf(client.audio.speech.create({ ...SPEECH, ...change }))
    expect(failure).toBeInstanceOf(BadRequestError)
    expect(failure).toMatchObject({ param })
  })

  test.each(["🙂🙂", "日本語のテキスト", "<speak>hi</speak>", "\u0000\u0007", "..."])(
    "of odd text is sound or an error, never a crash: %j",
    async (input) => {
      const { pid } = (await server.loaded()).find(({ name }) => name === "tones") ?? {}
      const response = await server.post("/v1/audio/speech", { ...SPEECH, input })
      await response.bytes()
      expect([200, 400]).toContain(response.status)
      expect(await server.worker("tones")).toBe(pid ?? 0)
    },
  )
})

describe("a recording", () => {
  test("streams what is understood", async () => {
    const file = await toFile(await spoken({ response_format: "wav" }), "a.wav")
    let text = ""
    let done = ""
    for await (const event of await client.audio.transcriptions.create({
      model: "ears",
      file,
      stream: true,
    })) {
      if (event.type === "transcript.text.delta") text += event.delta
      if (event.type === "transcript.text.done") done = event.text
    }
    expect([text, done]).toEqual([WORDS, WORDS])
  })

  test("that is none is refused, and nothing of it stays", async () => {
    const file = await toFile(new TextEncoder().encode("this is no sound at all"), "a.mp3")
    const failure = await failureOf(client.audio.transcriptions.create({ model: "ears", file }))
    expect(failure).toBeInstanceOf(BadRequestError)
    expect(failure).toMatchObject({ param: "file" })
    await until(() => uploadsLeft().length === 0)
  })

  test("for a voice, and speech by a recogniser, name the right route", async () => {
    const file = await toFile(Uint8Array.of(1), "a.wav")
    const heard = await failureOf(client.audio.transcriptions.create({ model: "tones", file }))
    expect(heard).toMatchObject({ status: 400, code: "wrong_model_kind" })
    expect(String(heard)).toContain("/v1/audio/speech")
    const said = await failureOf(client.audio.speech.create({ ...SPEECH, model: "ears" }))
    expect(String(said)).toContain("/v1/audio/transcriptions")
    const run = await xllm.run(["run", "tones", "hi"], { environment: { XLLM_HOST: server.url } })
    expect(run).toMatchObject({ code: 1, err: expect.stringContaining("use 'xllm speak tones") })
  })

  test.each([
    ["through a server", () => ["tones", "--host", server.url]],
    ["without one", () => [join(xllm.models, "tones")]],
  ])("cannot be talked to: run says on a terminal which command is meant, %s", async (_how, words) => {
    await using session = xllm.openTerminal(["run", ...words()])
    await session.see("'tones' is a text-to-speech model; use 'xllm speak tones \"text\"'")
    expect(await session.exited).toBe(1)
  })

  test("larger than limits.upload is answered with 413", async () => {
    await using small = await xllm.serve(["--upload-limit", "1MiB"])
    const file = await toFile(new Uint8Array(2 * 1024 ** 2), "a.wav")
    const failure = await failureOf(small.client().audio.transcriptions.create({ model: "ears", file }))
    expect(failure).toBeInstanceOf(APIError)
    expect(failure).toMatchObject({ status: 413, code: "payload_too_large" })
  })
})

describe.skipIf(process.platform !== "linux")("kill -9", () => {
  test("of a voice's worker breaks its speech off; the server lives, and the next speech is whole", async () => {
    const response = await client.audio.speech.create({ ...SPEECH, input: LONG, response_format: "pcm" })
    const reader = response.body?.getReader()
    await reader?.read()
    process.kill(await server.worker("tones"), "SIGKILL")
    const reading = async () => {
      while ((await reader?.read())?.done === false) continue
    }
    expect(await failureOf(reading())).toBeInstanceOf(Error)
    expect(await textOf(await spoken({ response_format: "wav" }), "next.wav")).toBe(WORDS)
    expect((await server.get("/v0/health")).status).toBe(200)
  })

  test("of a voice's worker ends its stream of events with an error", async () => {
    const response = await server.post("/v1/audio/speech", { ...SPEECH, input: LONG, stream_format: "sse" })
    let text = ""
    for await (const bytes of response.body ?? []) {
      if (text === "") process.kill(await server.worker("tones"), "SIGKILL")
      text += new TextDecoder().decode(bytes)
    }
    expect(text.trimEnd().split("\n").at(-1)).toMatch(/^data: \{"error":\{.*"code":"worker_crashed"/)
  })

  test("of the server leaves uploads to the next one, which removes them", async () => {
    const other = await Installation.create()
    writeTinyAsrModel(join(other.models, "ears"))
    const killed = await other.serve()
    const uploads = join(other.home, ".xllm/uploads")
    // A body that never ends.
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const head = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        controller.enqueue(new TextEncoder().encode(head + "x".repeat(100_000)))
      },
    })
    const headers = { "content-type": "multipart/form-data; boundary=x" }
    const upload = failureOf(killed.get("/v1/audio/transcriptions", { method: "POST", headers, body }))
    const fileThere = () =>
      readdirSync(uploads, { recursive: true, withFileTypes: true }).some(({ name }) => name.endsWith(".wav"))
    await until(fileThere)
    killed.kill("SIGKILL")
    await Promise.all([killed.exited, upload])
    expect(fileThere()).toBe(true)
    const next = await other.serve()
    expect(fileThere()).toBe(false)
    await next[Symbol.asyncDispose]()
    await killed[Symbol.asyncDispose]()
    other[Symbol.dispose]()
  })
})
