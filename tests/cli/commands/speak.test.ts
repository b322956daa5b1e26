import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { command as run } from "../../../src/cli/commands/run"
import { command as speak } from "../../../src/cli/commands/media/speak"
import { WorkerCrashed } from "../../../src/errors/engine"
import { WrongModelKind } from "../../../src/errors/model"
import { InvalidRequest } from "../../../src/errors/request"
import { speech } from "../../support/fakes/fake-engine"
import { fakeIo, type FakeIoOptions } from "../../support/fakes/fake-io"
import { closeMediaServers, mediaServer } from "../../support/fakes/media-server"
import { writeTinyModel } from "../../support/files/tiny-model"
import { failure } from "../../support/failure"
import { tempFolder } from "../../support/temp-folder"
import { runXllm } from "../../support/xllm"

closeMediaServers()

/** Runs `speak` against a server; stdout is a pipe unless the options say otherwise. */
async function speakAt(url: string, argv: readonly string[], options: FakeIoOptions = { input: "" }) {
  const io = fakeIo(options)
  await speak.execute([...argv, "--host", url], io)
  return io
}

describe("speak", () => {
  test("writes a file whose ending says the format", async () => {
    using folder = tempFolder()
    const { url, engine } = await mediaServer()
    const file = join(folder.path, "hello.OGG")
    const io = await speakAt(url, ["joe", "Hello,", "world.", "-o", file, "--voice", "amy", "--speed", "1.5"])
    expect([...readFileSync(file)]).toEqual([1, 2, 3])
    expect(readdirSync(folder.path)).toEqual(["hello.OGG"])
    expect([io.out, io.err]).toEqual(["", ""])
    expect(engine.speeches[0]?.request).toMatchObject({
      model: "joe",
      input: "Hello, world.",
      voice: "amy",
      speed: 1.5,
      format: "opus",
    })
  })

  test("passes the sample rate and raw text on, and samples alone have OpenAI's rate", async () => {
    using folder = tempFolder()
    const { url, engine } = await mediaServer()
    const file = (name: string) => join(folder.path, name)
    await speakAt(url, ["joe", "*Hi*", "-o", file("a.wav"), "--sample-rate", "16000", "--raw-text"])
    await speakAt(url, ["joe", "Hi", "-o", file("a.pcm")])
    await speakAt(url, ["joe", "Hi", "-o", file("b.wav")])
    const [first, second, third] = engine.speeches.map(({ request }) => request)
    expect(first).toMatchObject({ input: "*Hi*", sampleRate: 16_000, rawText: true })
    expect(second).toMatchObject({ sampleRate: 24_000 })
    expect([third?.sampleRate, third?.rawText]).toEqual([undefined, undefined])
  })

  test("takes a long text at once, and refuses one that is too long before anything is sent", async () => {
    const { url, engine } = await mediaServer()
    const text = "word ".repeat(20_000)
    await speakAt(url, ["joe"], { input: text })
    expect(engine.speeches[0]?.request.input).toBe(text)
    const error = await failure(speakAt(url, ["joe"], { input: "word ".repeat(50_001) }))
    expect(error.message).toBe("the text must have at most 250000 characters, got 250005; speak it in parts")
    expect(engine.speeches).toHaveLength(1)
  })

  test.each([
    ["a.mp3", "mp3"],
    ["a.wav", "wav"],
    ["a.flac", "flac"],
    ["a.aac", "aac"],
    ["a.raw", "pcm"],
    ["a.b.opus", "opus"],
  ])("takes %s for %s", async (name, format) => {
    using folder = tempFolder()
    const { url, engine } = await mediaServer()
    await speakAt(url, ["joe", "Hi", "-o", join(folder.path, name)])
    expect(engine.speeches[0]?.request.format).toBe(format as "mp3")
  })

  test.each([[[]], [["-o", "-"]]])("writes WAV to a pipe: %j", async (argv) => {
    const { url, engine } = await mediaServer()
    const io = await speakAt(url, ["joe", "Hi", ...argv])
    expect([...io.bytes]).toEqual([1, 2, 3])
    expect(io.out).toBe("")
    expect(engine.speeches[0]?.request.format).toBe("wav")
  })

  test("says what is piped in where no text is written", async () => {
    const { url, engine } = await mediaServer()
    await speakAt(url, ["joe", "--format", "pcm"], { input: "Dear all,\nhello.\n" })
    expect(engine.speeches[0]?.request).toMatchObject({ input: "Dear all,\nhello.\n", format: "pcm" })
  })

  test("gives a WAV file its sizes when they are known", async () => {
    using folder = tempFolder()
    const { url, engine } = await mediaServer()
    const header = Buffer.alloc(44, 0xff)
    engine.speechScript = () => speech([[...header], [1, 2, 3, 4]], "audio/wav")
    const file = join(folder.path, "a.wav")
    await speakAt(url, ["joe", "Hi", "-o", file])
    const written = readFileSync(file)
    expect([written.length, written.readUInt32LE(4), written.readUInt32LE(40)]).toEqual([48, 40, 4])
  })

  test("--json tells what was written", async () => {
    using folder = tempFolder()
    const { url } = await mediaServer()
    const file = join(folder.path, "a.mp3")
    const io = await speakAt(url, ["joe", "Hi", "-o", file, "--json"])
    expect(JSON.parse(io.out)).toEqual({
      model: "joe",
      file,
      format: "mp3",
      bytes: 3,
      audio_seconds: 1,
      characters: 12,
      sentences: 2,
      timings: { queue_ms: 3, load_ms: 4, work_ms: 500 },
    })
  })

  test("tells on a terminal what is waited for, and wipes it away", async () => {
    using folder = tempFolder()
    const { url } = await mediaServer()
    const io = fakeIo({ isTerminal: true })
    await speak.execute(["joe", "Hi", "-o", join(folder.path, "a.mp3"), "--host", url], io)
    expect(io.err).toStartWith("\r\x1b[K")
    expect(io.err).toEndWith("\r\x1b[K")
  })
})

describe("what was there before", () => {
  test("stays when the speech fails, and nothing else is left", async () => {
    using folder = tempFolder()
    const { url, engine } = await mediaServer()
    engine.speechScript = async function* () {
      yield { type: "audio", bytes: Uint8Array.of(9), samples: 1 }
      throw new WorkerCrashed("joe", "was killed", [])
    }
    const file = join(folder.path, "a.mp3")
    writeFileSync(file, "before")
    await expect(speakAt(url, ["joe", "Hi", "-o", file])).rejects.toThrow(
      "the worker of model 'joe' was killed",
    )
    expect(readdirSync(folder.path)).toEqual(["a.mp3"])
    expect(readFileSync(file, "utf8")).toBe("before")
  })
})

describe("speak refuses", () => {
  test.each([
    [["joe"], { input: " \n" }, "speak needs a TEXT"],
    [["joe"], { isTerminal: true }, "speak needs a TEXT"],
    [["joe", "Hi"], { isTerminal: true }, "refusing to write audio to a terminal"],
    [["joe", "Hi", "-o", "-"], { isTerminal: true }, "refusing to write audio to a terminal"],
    [["joe", "Hi", "-o", "a.txt"], { input: "" }, "the name of a.txt does not set the format; add --format"],
    [["joe", "Hi", "-o", "mp3"], { input: "" }, "the name of mp3 does not set the format"],
    [["joe", "Hi", "--json"], { input: "" }, "--json needs a file"],
    [["joe", "Hi", "--speed", "5"], { input: "" }, "--speed must be a number from 0.25 to 4, got '5'"],
    [["joe", "Hi", "--format", "mp4"], { input: "" }, "--format must be one of mp3, opus"],
    [
      ["joe", "Hi", "-o", "/nowhere/a.mp3"],
      { input: "" },
      "cannot write /nowhere/a.mp3: no such file or folder",
    ],
    [["./joe.onnx", "Hi"], { input: "" }, "a server accepts model names, not paths"],
    [["joo", "Hi"], { input: "" }, "model 'joo' not found; did you mean 'joe'?"],
  ])("%j", async (argv, options, message) => {
    const { url, engine } = await mediaServer()
    await expect(speakAt(url, argv, options)).rejects.toThrow(message)
    expect(engine.speeches).toEqual([])
  })

  test("with the server's own words", async () => {
    const { url, engine } = await mediaServer()
    engine.speechScript = () => {
      throw new InvalidRequest("the voice 'bob' does not exist", "voice")
    }
    await expect(speakAt(url, ["joe", "Hi", "--voice", "bob"])).rejects.toThrow(
      "the voice 'bob' does not exist",
    )
  })
})

describe("a model of another kind is refused with the command that is meant", () => {
  test.each([
    ["joe", "tts", `'joe' is a text-to-speech model; use 'xllm speak joe "text"'`],
    ["ears", "asr", "'ears' is a speech-to-text model; use 'xllm transcribe ears FILE'"],
    ["brush", "image", `'brush' is an image model; use 'xllm image brush "prompt"'`],
  ] as const)("run %s, at a server", async (model, kind, message) => {
    const { url, engine } = await mediaServer()
    engine.script = () => {
      throw new WrongModelKind(model, kind)
    }
    await expect(run.execute([model, "Hi", "--host", url], fakeIo({ input: "" }))).rejects.toThrow(message)
  })

  test("speak, at a server", async () => {
    const { url, engine } = await mediaServer()
    engine.speechScript = () => {
      throw new WrongModelKind("joe", "text")
    }
    await expect(speakAt(url, ["joe", "Hi"])).rejects.toThrow(
      `'joe' is a text model; use 'xllm run joe "prompt"'`,
    )
  })

  test.each(["speak", "transcribe", "image"])("%s, by a path", async (command) => {
    using folder = tempFolder()
    const path = join(folder.path, "a model.gguf")
    await writeTinyModel(path, { layers: 1 })
    const operand = command === "transcribe" ? path : "text"
    const { out, err, code } = await runXllm([command, path, operand], {
      environment: { XLLM_HOME: folder.path },
    })
    expect({ out, err, code }).toEqual({
      out: "",
      err: `Error: '${path}' is a text model; use 'xllm run "${path}" "prompt"'\n`,
      code: 1,
    })
  })
})
