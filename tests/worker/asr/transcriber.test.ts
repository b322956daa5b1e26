import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { AudioFormat } from "../../../src/domain/media/speech"
import { createEncoder } from "../../../src/worker/audio/encoders/create"
import { encodeWav, toneSamples, writeTones } from "../../support/files/recordings"
import {
  encodeTinyAsrModel,
  TINY_ASR_MODEL_TOKENS,
  writeTinyAsrModel,
} from "../../support/files/tiny-asr-model"
import { SAMPLES_PER_CHARACTER, TONE_SAMPLE_RATE } from "../../support/files/tiny-tts-model"
import { RealAsrModel } from "../../support/real/real-asr-model"
import { tempFolder } from "../../support/temp-folder"

const SECONDS_PER_CHARACTER = SAMPLES_PER_CHARACTER / TONE_SAMPLE_RATE

const folder = tempFolder()
let recognizer: RealAsrModel
let files = 0

beforeAll(async () => {
  writeTinyAsrModel(join(folder.path, "recognizer"))
  recognizer = await RealAsrModel.start(join(folder.path, "recognizer"))
})
afterAll(async () => {
  await recognizer[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

function file(bytes: Uint8Array): string {
  const path = join(folder.path, `sound-${files++}`)
  writeFileSync(path, bytes)
  return path
}

const tones = (text: string): string => writeTones(join(folder.path, `sound-${files++}.wav`), text)

/** Sentences that are all different, with pauses between them: about 3 s each. */
function sentences(count: number): string[] {
  const letters = "abcdefghijklmnopqrstuvwxyz"
  return Array.from({ length: count }, (_, i) => {
    const [first, second] = [letters[i % 26], letters[Math.floor(i / 26) % 26]]
    return `sentence ${first}${second} goes on`
  })
}

describe("a speech-to-text model", () => {
  test("says what it is", () => {
    expect(recognizer.info).toMatchObject({ kind: "asr", family: "zipformer-ctc", threads: 1 })
    expect(recognizer.info.footprint.ramBytes).toBeGreaterThan(10e6)
  })

  test("writes down what was said, and how long it was", async () => {
    const text = "the quick brown fox"
    const { events, done } = await recognizer.transcribe(tones(text))
    expect(events.map(({ type }) => type)).toEqual(["audio", "segment", "done"])
    expect(events[0]).toEqual({ type: "audio", seconds: text.length * SECONDS_PER_CHARACTER })
    expect(events[1]).toMatchObject({ segment: { index: 0, start: 0, text } })
    expect(done).toMatchObject({
      language: undefined,
      usage: { audioSeconds: text.length * SECONDS_PER_CHARACTER },
      timings: { queueMs: 1, loadMs: 2 },
    })
  })

  test("believes what language it is told, where it knows of none", async () => {
    expect((await recognizer.transcribe(tones("abc"), { language: "fr-CA" })).done.language).toBe("fr")
    const { done } = await recognizer.transcribe(tones("abc"), { language: "French" })
    expect(done.language).toBe("fr")
    expect(done.warnings).toEqual(["language 'French' was ignored: this model cannot be told a language"])
  })

  test("tells when each word was said, where that is asked for", async () => {
    const { segments } = await recognizer.transcribe(tones("ab cde"), { wordTimes: true })
    expect(segments[0]?.words).toEqual([
      { word: "ab", start: 0, end: 2 * SECONDS_PER_CHARACTER },
      { word: "cde", start: 3 * SECONDS_PER_CHARACTER, end: 6 * SECONDS_PER_CHARACTER },
    ])
    expect((await recognizer.transcribe(tones("ab cde"))).segments[0]?.words).toBeUndefined()
  })

  test("parts what it heard at pauses", async () => {
    const { segments } = await recognizer.transcribe(tones("first part ........second part"))
    expect(segments.map(({ text }) => text)).toEqual(["first part", "second part"])
    expect(segments[1]?.start).toBeCloseTo(19 * SECONDS_PER_CHARACTER, 1)
  })

  test.each([12, 40, 80])("of %p sentences loses and doubles no word", async (count) => {
    const said = sentences(count)
    const { segments, text, done } = await recognizer.transcribe(tones(said.join(" ...")), {
      wordTimes: true,
    })
    expect(text).toBe(said.join(" "))
    segments.forEach(({ index, start, end, words }, i) => {
      expect(index).toBe(i)
      expect(start).toBeGreaterThanOrEqual(segments[i - 1]?.end ?? 0)
      expect(end).toBeLessThanOrEqual(done.usage.audioSeconds)
      expect(words?.length).toBeGreaterThan(0)
    })
  })

  test("of speech without a pause loses and doubles no sound", async () => {
    const letters = "the quick brown fox jumps over the lazy dog ".repeat(8).trim()
    const { text } = await recognizer.transcribe(tones(letters))
    expect(text.replaceAll(" ", "")).toBe(letters.replaceAll(" ", ""))
  })

  test("hears nothing in silence", async () => {
    const { segments, done } = await recognizer.transcribe(
      file(encodeWav(new Float32Array(50 * TONE_SAMPLE_RATE))),
    )
    expect(segments).toEqual([])
    expect(done.usage.audioSeconds).toBe(50)
  })

  test.each<AudioFormat>(["flac", "mp3", "opus", "wav"])("hears the same in %s", async (format) => {
    const encoder = await createEncoder(format, TONE_SAMPLE_RATE, () => {
      throw new Error("no other rate is needed")
    })
    const bytes = Buffer.concat([encoder.push(toneSamples("hello world")), encoder.end()])
    expect((await recognizer.transcribe(file(bytes))).text).toBe("hello world")
  })

  test("works on several recordings by turns, a window of each", async () => {
    const long = recognizer.submit(tones(sentences(60).join(" ...")))
    await long.begun
    const short = await recognizer.transcribe(tones("short"))
    expect(short.text).toBe("short")
    await long.over
    expect(long.text).toBe(sentences(60).join(" "))
  })

  test("stops at the next window once its client is gone, and serves the others", async () => {
    const gone = recognizer.submit(tones(sentences(100).join(" ...")))
    await gone.begun
    recognizer.cancel(gone)
    expect((await recognizer.transcribe(tones("still here"))).text).toBe("still here")
    expect(gone.events.some(({ type }) => type === "done")).toBe(false)
  })
})

test("a damaged model for finding speech is not used", async () => {
  const models = join(folder.path, "models")
  const path = join(models, "recognizer")
  writeTinyAsrModel(path)
  writeFileSync(join(models, "silero_vad.onnx"), "nothing that finds speech")
  await using other = await RealAsrModel.start(path, { derivedFolder: join(models, "derived/1") })
  const said = sentences(12)
  expect((await other.transcribe(tones(said.join(" ...")))).text).toBe(said.join(" "))
})

describe("a request that cannot be done", () => {
  test.each<[string, () => string, RegExp]>([
    ["a file that is not there", () => join(folder.path, "nothing"), /cannot be read/],
    ["a file of something else", () => file(Buffer.from("{}")), /none of wav, mp3/],
  ])("with %s is refused by the field", async (_, path, message) => {
    const dictation = recognizer.submit(path())
    await dictation.over
    expect(dictation.error).toMatchObject({ status: 400, param: "file" })
    expect(dictation.error?.message).toMatch(message)
  })

  test("with half of a WAV file is done as far as that goes, with a warning", async () => {
    const half = encodeWav(toneSamples("abcd efgh")).subarray(0, 44 + 4 * 2 * SAMPLES_PER_CHARACTER)
    const { text, done } = await recognizer.transcribe(file(half))
    expect(text).toBe("abcd")
    expect(done.warnings).toEqual([expect.stringContaining("the WAV header declares")])
  })

  test("to translate is refused", async () => {
    expect(recognizer.transcribe(tones("abc"), { task: "translate" })).rejects.toThrow("cannot translate")
  })
})

describe("a model that the engine would end its process over", () => {
  test.each<[string, () => Uint8Array, string, RegExp]>([
    [
      "without a blank",
      encodeTinyAsrModel,
      TINY_ASR_MODEL_TOKENS.replace("<blk>", "x"),
      /<blk> or <eps> or <blank>/,
    ],
    [
      "with an odd line of tokens",
      encodeTinyAsrModel,
      TINY_ASR_MODEL_TOKENS.replace("b 3", "b c 3"),
      /line 4: 'b c 3'/,
    ],
    [
      "with a hole in its tokens",
      encodeTinyAsrModel,
      TINY_ASR_MODEL_TOKENS.replace("b 3\n", ""),
      /token 3 of 29 is missing/,
    ],
    ["without tokens", encodeTinyAsrModel, "", /no tokens/],
    [
      "without its numbers",
      () => encodeTinyAsrModel({ metadata: { model_type: "wenet_ctc", vocab_size: "many" } }),
      TINY_ASR_MODEL_TOKENS,
      /lacks subsampling_factor/,
    ],
    [
      "for live sound",
      () => encodeTinyAsrModel({ metadata: { model_type: "zipformer2_ctc", decode_chunk_len: 32 } }),
      TINY_ASR_MODEL_TOKENS,
      /streaming speech-to-text model/,
    ],
    [
      "of no known kind",
      () => encodeTinyAsrModel({ metadata: { model_type: "riddle" } }),
      TINY_ASR_MODEL_TOKENS,
      /inputs: x float\[N,T,80\], x_lens int64\[N\]; outputs: log_probs/,
    ],
  ])("%s is refused, saying why", async (name, graph, tokens, message) => {
    const path = join(folder.path, name.replaceAll(" ", "-"))
    writeTinyAsrModel(path, { tokens })
    writeFileSync(join(path, "model.onnx"), graph())
    const loading = RealAsrModel.start(path)
    expect(loading).rejects.toThrow(message)
    expect(loading).rejects.toMatchObject({ code: "model_load_failed" })
    await loading.catch(() => undefined)
  })

  test("that is cut short is refused, not crashed over", async () => {
    const path = join(folder.path, "cut")
    writeTinyAsrModel(path)
    truncateSync(join(path, "model.onnx"), 900)
    const loading = RealAsrModel.start(path)
    expect(loading).rejects.toMatchObject({ code: "model_load_failed" })
    await loading.catch(() => undefined)
  })
})
