import { describe, expect, test } from "bun:test"
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { emptyGraph, TINY_PIPER_IDS, writeFiles, writePiperVoice } from "../../support/files/speech-models"
import {
  SAMPLES_PER_CHARACTER,
  TINY_TTS_MODEL_METADATA,
  writeTinyTtsModel,
} from "../../support/files/tiny-tts-model"
import { RealTtsModel } from "../../support/real/real-tts-model"
import { tempFolder } from "../../support/temp-folder"

/** A raw Piper voice in a folder of its own, and where its derived files go. */
function prepare(folder: string, fields: Readonly<Record<string, unknown>> = {}) {
  const path = join(folder, "voice")
  writePiperVoice(path, fields)
  return { path, derivedFolder: join(folder, "derived/1") }
}

describe("a raw voice of Piper", () => {
  test("speaks through espeak-ng, after what it lacks was written beside it", async () => {
    using temp = tempFolder()
    const { path, derivedFolder } = prepare(temp.path)
    const before = readdirSync(path)
    await using voice = await RealTtsModel.start(path, { derivedFolder })
    expect(voice.info).toMatchObject({ family: "piper" })
    const { samples, voice: told } = await voice.speak({ input: "the good moon.", voice: "ben" })
    expect(told).toMatchObject({ speaker: 1, sampleRate: 16_000 })
    expect(samples).toBeGreaterThan(10 * SAMPLES_PER_CHARACTER)
    expect(readdirSync(path)).toEqual(before)
    expect(readdirSync(derivedFolder).sort()).toEqual(["derived.json", "model.onnx", "tokens.txt"])
  })

  test("speaks at its own pace: its length scale and the request's speed both count", async () => {
    using temp = tempFolder()
    const slow = prepare(join(temp.path, "slow"), { inference: { length_scale: 2 } })
    const usual = prepare(join(temp.path, "usual"), { inference: { length_scale: 1 } })
    await using slowVoice = await RealTtsModel.start(slow.path, slow)
    await using usualVoice = await RealTtsModel.start(usual.path, usual)
    const request = { input: "the good moon." }
    const { samples } = await usualVoice.speak(request)
    expect((await slowVoice.speak(request)).samples).toBe(2 * samples)
    expect((await slowVoice.speak({ ...request, speed: 2 })).samples).toBe(samples)
    expect((await slowVoice.speak({ ...request, speed: 4 })).samples).toBe(samples / 2)
  })

  test("names its speakers where a request asks for another", async () => {
    using temp = tempFolder()
    const { path, derivedFolder } = prepare(temp.path)
    await using voice = await RealTtsModel.start(path, { derivedFolder })
    const speaking = voice.submit({ voice: "carl" })
    await speaking.over
    expect(speaking.error?.message).toBe(
      "the voice 'carl' does not exist; this model has voices from 0 to 1: anna, ben",
    )
  })

  test("keeps its derived files, and makes them again where they are damaged", async () => {
    using temp = tempFolder()
    const { path, derivedFolder } = prepare(temp.path)
    const load = async () => {
      await using voice = await RealTtsModel.start(path, { derivedFolder })
      return (await voice.speak({ input: "good moon." })).samples
    }
    const samples = await load()
    const made = statSync(join(derivedFolder, "model.onnx")).ino
    expect(await load()).toBe(samples)
    expect(statSync(join(derivedFolder, "model.onnx")).ino).toBe(made)
    for (const damage of [
      () => truncateSync(join(derivedFolder, "model.onnx"), 100),
      () => appendFileSync(join(derivedFolder, "tokens.txt"), "bad line here\n"),
      () => writeFileSync(join(derivedFolder, "derived.json"), "{"),
    ]) {
      damage()
      expect(await load()).toBe(samples)
    }
    expect(readdirSync(join(temp.path, "derived"))).toEqual(["1"])
  })

  test("of a language that the program does not carry needs the system's data, and says which package has them", async () => {
    using temp = tempFolder()
    const { path, derivedFolder } = prepare(temp.path, { espeak: { voice: "tlh" } })
    expect(RealTtsModel.start(path, { derivedFolder })).rejects.toThrow(
      /it speaks 'tlh', for which there is no espeak-ng data here; .*apt install espeak-ng-data/,
    )
  })

  test.each(["en-gb", "fr-fr", "de", "es", "pt-br"])(
    "speaks %s, whatever espeak-ng calls its file",
    async (language) => {
      using temp = tempFolder()
      const { path, derivedFolder } = prepare(temp.path, { espeak: { voice: language } })
      await using voice = await RealTtsModel.start(path, { derivedFolder })
      expect((await voice.speak({ input: "la luna." })).samples).toBeGreaterThan(0)
    },
  )
})

describe("a voice prepared for the engine", () => {
  test("speaks a language that its metadata call by another name than espeak-ng", async () => {
    using temp = tempFolder()
    const path = join(temp.path, "voice")
    const tokens = Object.entries(TINY_PIPER_IDS).map(([symbol, id]) => `${symbol} ${id}\n`)
    const metadata = { ...TINY_TTS_MODEL_METADATA, comment: "piper", frontend: "", voice: "en-gb" }
    writeTinyTtsModel(path, { metadata, tokens: tokens.join(""), piperInputs: true })
    await using voice = await RealTtsModel.start(path, { derivedFolder: join(temp.path, "derived/1") })
    expect((await voice.speak({ input: "good moon." })).samples).toBeGreaterThan(0)
    expect(readdirSync(path).sort()).toEqual(["model.onnx", "tokens.txt"])
  })
})

describe("a voice that cannot be loaded costs its worker, with the reason", () => {
  const cases: readonly [string, (folder: string) => void, RegExp][] = [
    ["a graph that is cut off", (folder) => truncateSync(join(folder, "model.onnx"), 800), /it is cut short/],
    [
      "no metadata",
      (folder) => writeTinyTtsModel(folder, { metadata: {} }),
      /its metadata lacks sample_rate/,
    ],
    [
      "a bad line of tokens",
      (folder) => writeTinyTtsModel(folder, { tokens: "a 1\nb\n" }),
      /line 2: 'b' is not a symbol/,
    ],
    [
      "a graph that computes something else",
      (folder) => writeFiles(folder, { "model.onnx": emptyGraph(["ids"]) }),
      /inputs: ids/,
    ],
  ]
  test.each(cases)("%s", async (_, spoil, message) => {
    using temp = tempFolder()
    writeTinyTtsModel(temp.path)
    spoil(temp.path)
    expect(RealTtsModel.start(temp.path)).rejects.toThrow(message)
  })

  test("a graph that ONNX Runtime refuses", async () => {
    using temp = tempFolder()
    writeTinyTtsModel(temp.path)
    const graph = readFileSync(join(temp.path, "model.onnx"))
    // The operator's name, which nothing before the engine looks at.
    writeFileSync(
      join(temp.path, "model.onnx"),
      Buffer.from(graph.toString("latin1").replaceAll("Gather", "Gothic"), "latin1"),
    )
    expect(RealTtsModel.start(temp.path)).rejects.toThrow(/could not be loaded: .*Gothic/)
  })

  test("nothing at its path", async () => {
    using temp = tempFolder()
    expect(existsSync(join(temp.path, "gone"))).toBe(false)
    expect(RealTtsModel.start(join(temp.path, "gone"))).rejects.toThrow(/gone is not a text-to-speech model/)
  })
})
