import { describe, expect, test } from "bun:test"
import { readdirSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { command as transcribe } from "../../../src/cli/commands/media/transcribe"
import { WorkerCrashed } from "../../../src/errors/engine"
import { transcript } from "../../support/fakes/fake-engine"
import { fakeIo, type FakeIoOptions } from "../../support/fakes/fake-io"
import { closeMediaServers, mediaServer } from "../../support/fakes/media-server"
import { tempFolder } from "../../support/temp-folder"

closeMediaServers()

const TIMINGS = { queueMs: 3, loadMs: 4, workMs: 500 }

/** Has a recording transcribed by a server; what the server got of it is told too. */
async function transcribed(argv: readonly string[], options: FakeIoOptions = { input: "" }) {
  using folder = tempFolder()
  const file = join(folder.path, "talk.wav")
  writeFileSync(file, "sound")
  const { url, engine } = await mediaServer()
  let heard = ""
  const usual = engine.transcriptionScript
  engine.transcriptionScript = async function* (request, signal) {
    heard = await Bun.file(request.audioPath).text()
    yield* usual(request, signal)
  }
  const io = fakeIo(options)
  await transcribe.execute(["ears", ...argv.map((word) => word.replace("FILE", file)), "--host", url], io)
  return { io, heard, request: engine.transcriptions[0]?.request }
}

describe("transcribe", () => {
  test("prints the text of a file", async () => {
    const { io, heard, request } = await transcribed(["FILE"])
    expect([io.out, io.err, heard]).toEqual(["Hello world.\n", "", "sound"])
    expect(request).toMatchObject({ model: "ears", task: "transcribe", wordTimes: false })
    expect(request?.language).toBeUndefined()
  })

  test("listens to what is piped in, and leaves nothing of it behind", async () => {
    const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("xllm-transcribe-"))
    const before = folders()
    const { io, heard } = await transcribed(["-"], { input: "piped sound" })
    expect([io.out, heard]).toEqual(["Hello world.\n", "piped sound"])
    expect(folders()).toEqual(before)
  })

  test("refuses a file above the limit of uploads, with a server and without", async () => {
    using folder = tempFolder()
    const file = join(folder.path, "talk.wav")
    writeFileSync(file, new Uint8Array(3000))
    const environment = { XLLM_UPLOAD_LIMIT: "2KiB", XLLM_HOME: folder.path, XLLM_LOG_LEVEL: "error" }
    const local = transcribe.execute([join(folder.path, "none"), file], fakeIo({ environment }))
    await expect(local).rejects.toThrow(`${file} has 2.93 KiB, more than limits.upload allows (2 KiB)`)
    const { url } = await mediaServer({ settings: { uploadLimitBytes: 2048 } })
    const remote = transcribe.execute(["ears", file, "--host", url], fakeIo())
    await expect(remote).rejects.toThrow("the request body is larger than 2 KiB (the server's limits.upload)")
  })

  test("asks as the flags say", async () => {
    const flags = ["--language", "German", "--translate"]
    const { request } = await transcribed(["FILE", ...flags])
    expect(request).toMatchObject({ task: "translate", language: "German" })
  })

  test.each([
    ["text", "Hello world.\n"],
    ["json", '{\n  "text": "Hello world."\n}\n'],
    ["srt", "1\n00:00:00,000 --> 00:00:01,000\nHello\n\n2\n00:00:01,000 --> 00:00:02,000\nworld.\n\n"],
    ["vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHello\n\n00:00:01.000 --> 00:00:02.000\nworld.\n\n"],
  ])("prints %s", async (format, out) => {
    expect((await transcribed(["FILE", "--format", format])).io.out).toBe(out)
  })

  test("prints everything as JSON", async () => {
    const { io } = await transcribed(["FILE", "--json"])
    expect(JSON.parse(io.out)).toEqual({
      model: "ears",
      task: "transcribe",
      language: "english",
      duration: 2,
      text: "Hello world.",
      segments: [
        { id: 0, start: 0, end: 1, text: "Hello", temperature: 0, compression_ratio: 0.385 },
        { id: 1, start: 1, end: 2, text: "world.", temperature: 0, compression_ratio: 0.429 },
      ],
      usage: { type: "duration", seconds: 2 },
      timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
    })
  })

  test("tells when words are said where that is asked for", async () => {
    const { url, engine } = await mediaServer()
    const words = [{ word: "Hi", start: 0.25, end: 0.5 }]
    engine.transcriptionScript = async function* () {
      yield { type: "segment", segment: { index: 0, start: 0, end: 1, text: "Hi", words } }
      yield { type: "done", language: undefined, usage: { audioSeconds: 1 }, timings: TIMINGS }
    }
    using folder = tempFolder()
    const file = join(folder.path, "talk.wav")
    writeFileSync(file, "sound")
    const io = fakeIo({ input: "" })
    await transcribe.execute(["ears", file, "--json", "--words", "--host", url], io)
    expect(JSON.parse(io.out)).toMatchObject({ words })
    expect(engine.transcriptions[0]?.request.wordTimes).toBe(true)
  })

  test.each([[[]], [["--format", "srt"]], [["--json"]]])("prints warnings apart, with %j", async (flags) => {
    const { url, engine } = await mediaServer()
    engine.transcriptionScript = async function* () {
      yield { type: "segment", segment: { index: 0, seek: 0, start: 0, end: 1, text: "Hi" } }
      const warnings = ["the header lies", "no words"]
      yield { type: "done", language: "en", usage: { audioSeconds: 1 }, timings: TIMINGS, warnings }
    }
    const io = fakeIo({ input: "sound" })
    await transcribe.execute(["ears", "-", ...flags, "--host", url], io)
    expect(io.err).toBe("warning: the header lies\nwarning: no words\n")
    expect(io.out).toContain("Hi")
  })

  test("cannot steer a terminal", async () => {
    using folder = tempFolder()
    const file = join(folder.path, "talk.wav")
    writeFileSync(file, "sound")
    const { url, engine } = await mediaServer()
    engine.transcriptionScript = () => transcript(["a\x1b[2Jb"])
    const io = fakeIo({ isTerminal: true })
    await transcribe.execute(["ears", file, "--host", url], io)
    expect(io.out).toBe("a\ufffd[2Jb\n")
  })
})

describe("transcribe refuses", () => {
  test.each([
    [["ears", "nothing.wav"], { input: "" }, "cannot read nothing.wav: no such file or folder"],
    [["ears", "-"], { isTerminal: true }, "no input: name a file"],
    [["ears"], { input: "" }, "transcribe needs MODEL FILE"],
    [["ears", "-", "--json", "--format", "srt"], { input: "" }, "give one of --json and --format"],
    [["ears", "-", "--words"], { input: "" }, "--words needs --json or --format verbose_json"],
    [["ear", "-"], { input: "x" }, "model 'ear' not found; did you mean 'ears'?"],
  ])("%j", async (argv, options, message) => {
    const { url, engine } = await mediaServer()
    const execution = transcribe.execute([...argv, "--host", url], fakeIo(options))
    await expect(execution).rejects.toThrow(message)
    expect(engine.transcriptions).toEqual([])
  })

  test("with the server's words, after what was understood", async () => {
    const { url, engine } = await mediaServer()
    engine.transcriptionScript = async function* () {
      yield { type: "segment", segment: { index: 0, start: 0, end: 1, text: "Hello" } }
      throw new WorkerCrashed("ears", "was killed", [])
    }
    const io = fakeIo({ input: "sound" })
    await expect(transcribe.execute(["ears", "-", "--host", url], io)).rejects.toThrow("was killed")
    expect(io.out).toBe("Hello")
  })
})
