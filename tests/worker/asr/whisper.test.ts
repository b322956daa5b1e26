import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { encodeWav, toneSamples, writeTones } from "../../support/files/recordings"
import {
  type Ct2Precision,
  type TinyWhisperOptions,
  writeTinyHuggingFaceWhisper,
  writeTinyWhisper,
} from "../../support/files/tiny-whisper"
import { RealAsrModel } from "../../support/real/real-asr-model"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
let sound: string

beforeAll(() => {
  sound = writeTones(join(folder.path, "sound.wav"), "two seconds of sound")
})
afterAll(() => folder[Symbol.dispose]())

let models = 0

/** A tiny Whisper in a folder of its own, loaded. */
async function load(options: TinyWhisperOptions): Promise<RealAsrModel> {
  const path = join(folder.path, `model-${models++}`)
  writeTinyWhisper(path, options)
  return await RealAsrModel.start(path, { derivedFolder: join(folder.path, "derived", `${models}`) })
}

describe("a Whisper of faster-whisper", () => {
  test.each<Ct2Precision>(["float32", "float16", "int8"])(
    "with %s weights says what its numbers say",
    async (precision) => {
      await using whisper = await load({ precision, says: "Ġhello" })
      expect(whisper.info).toMatchObject({ family: "whisper" })
      const { text, done, segments } = await whisper.transcribe(sound, { wordTimes: true })
      expect(text).toMatch(/^hello( hello)+$/)
      expect(done.language).toBe("en")
      expect(segments[0]?.words?.[0]).toMatchObject({ word: "hello", start: 0 })
    },
  )

  test("that says nothing though there is sound has no text, and no error where none was", async () => {
    await using whisper = await load({ says: "<|endoftext|>" })
    const { text, done } = await whisper.transcribe(sound)
    expect(text).toBe("")
    expect(done.usage.audioSeconds).toBeCloseTo(3.2)
  })

  test("that cannot compute what it hears fails with the engine's words, and stays", async () => {
    await using whisper = await load({ audioContext: 10 })
    const failure = whisper.transcribe(sound)
    expect(failure).rejects.toMatchObject({ code: "recognition_failed", status: 500 })
    expect(failure).rejects.toThrow(
      /could not be transcribed: Non-zero status code returned while running Add node.*\S$/,
    )
    await failure.catch(() => undefined)
    const again = whisper.submit(sound)
    await again.over
    expect(again.error?.code).toBe("recognition_failed")
  })

  test("spells characters that are spread over bytes", async () => {
    await using whisper = await load({ says: "Ã©" })
    expect((await whisper.transcribe(sound)).text).toMatch(/^é+( é+)*$/)
  })

  test("for many languages takes the one that is asked for, or finds one", async () => {
    await using whisper = await load({ multilingual: true })
    expect((await whisper.transcribe(sound)).done.language).toBe("en")
    expect((await whisper.transcribe(sound, { language: "de" })).done.language).toBe("de")
    expect((await whisper.transcribe(sound, { language: "Russian", task: "translate" })).done.language).toBe(
      "ru",
    )
    expect((await whisper.transcribe(sound)).done.language).toBe("en")
    expect(whisper.transcribe(sound, { language: "xx" })).rejects.toMatchObject({
      status: 400,
      param: "language",
    })
  })

  test("for English neither translates nor knows other languages", async () => {
    await using whisper = await load({})
    expect(whisper.transcribe(sound, { task: "translate" })).rejects.toThrow("cannot translate")
    expect(whisper.transcribe(sound, { language: "de" })).rejects.toThrow("the model supports en")
  })

  test("leaves the model's own files as they are, and links its weights", async () => {
    const path = join(folder.path, "kept")
    const derivedFolder = join(folder.path, "derived/kept")
    writeTinyWhisper(path)
    const before = readdirSync(path)
    await using whisper = await RealAsrModel.start(path, { derivedFolder })
    expect(whisper.info.modelBytes).toBeGreaterThan(0)
    expect(readdirSync(path)).toEqual(before)
    // The weights in bytes are only for processors that multiply them.
    const derived = readdirSync(derivedFolder).filter((name) => name !== "int8.bin")
    expect(derived.sort()).toEqual([
      "decoder.onnx",
      "derived.json",
      "encoder.onnx",
      "model.bin",
      "tokens.txt",
    ])
    expect(statSync(join(derivedFolder, "model.bin")).ino).toBe(statSync(join(path, "model.bin")).ino)
  })

  test("whose window it cannot finish is heard in parts", async () => {
    // It never stops by itself, so every window ends at the engine's limit and is halved until it is short.
    await using whisper = await load({ says: "Ġworld" })
    const long = join(folder.path, "long.wav")
    writeFileSync(long, encodeWav(toneSamples("so long a talk that nobody can hear all of it now ")))
    const { segments, done } = await whisper.transcribe(long)
    expect(done.usage.audioSeconds).toBe(8)
    expect(segments.length).toBeGreaterThan(1)
    segments.forEach(({ start, end }, i) => {
      expect(start).toBeGreaterThanOrEqual(segments[i - 1]?.end ?? 0)
      expect(end).toBeLessThanOrEqual(8)
    })
  })
})

describe("a Whisper of transformers", () => {
  test("in two files of 16-bit numbers says what they say", async () => {
    const path = join(folder.path, "hugging-face")
    const derivedFolder = join(folder.path, "derived/hugging-face")
    writeTinyHuggingFaceWhisper(path)
    await using whisper = await RealAsrModel.start(path, { derivedFolder })
    expect(whisper.info).toMatchObject({ family: "whisper" })
    const { text, done } = await whisper.transcribe(sound)
    expect(text).toMatch(/^hello( hello)+$/)
    expect(done.language).toBe("en")
  })

  test("without a part of it is refused, naming what is missing", async () => {
    const path = join(folder.path, "half")
    writeTinyHuggingFaceWhisper(path)
    rmSync(join(path, "model-00002-of-00002.safetensors"))
    const loading = RealAsrModel.start(path, { derivedFolder: join(folder.path, "derived/half") })
    expect(loading).rejects.toThrow(/the tensor '.*' is missing/)
    await loading.catch(() => undefined)
  })
})

describe("a Whisper that cannot be used", () => {
  test("for want of a token is refused, naming it", async () => {
    const loading = load({ vocabulary: ["Ġ", "Ġhello", "<|endoftext|>"] })
    expect(loading).rejects.toThrow("lacks the token '<|startoftranscript|>'")
    await loading.catch(() => undefined)
  })

  test.each<[string, (file: string) => void, RegExp]>([
    ["is cut short", (file) => truncateSync(file, 5000), /cut short/],
    [
      "is of another kind",
      (file) => writeFileSync(file, "not a model of any kind"),
      /not a CTranslate2 model/,
    ],
    ["is empty", (file) => truncateSync(file, 0), /cut short after 0 bytes/],
  ])("because its file %s is refused", async (name, damage, message) => {
    const path = join(folder.path, name.replaceAll(" ", "-"))
    writeTinyWhisper(path)
    damage(join(path, "model.bin"))
    const loading = RealAsrModel.start(path, { derivedFolder: join(folder.path, "derived", name) })
    expect(loading).rejects.toThrow(message)
    expect(loading).rejects.toMatchObject({ code: "model_load_failed" })
    await loading.catch(() => undefined)
  })
})
