import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import type { AudioFormat } from "../../../src/domain/media/speech"
import {
  SAMPLES_PER_CHARACTER,
  TONE_SAMPLE_RATE,
  writeTinyTtsModel,
} from "../../support/files/tiny-tts-model"
import { decodeAudio, hasFfmpeg } from "../../support/real/ffmpeg"
import { RealTtsModel } from "../../support/real/real-tts-model"
import { tempFolder } from "../../support/temp-folder"

const folder = tempFolder()
const path = join(folder.path, "voice")
let voice: RealTtsModel

beforeAll(async () => {
  writeTinyTtsModel(path)
  voice = await RealTtsModel.start(path)
})
afterAll(async () => {
  await voice[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const MIMES: Readonly<Record<AudioFormat, string>> = {
  wav: "audio/wav",
  pcm: "audio/pcm",
  flac: "audio/flac",
  mp3: "audio/mpeg",
  aac: "audio/aac",
  opus: "audio/ogg",
}
const FORMATS = Object.keys(MIMES) as AudioFormat[]

/** Of these, decoders hear more than was said, by at most so many seconds. */
const LOSSY_TAIL: Partial<Record<AudioFormat, number>> = { mp3: 0.12, aac: 0.12 }

const TEN_SENTENCES = Array.from({ length: 10 }, (_, index) => `the sentence ${"abcdefghij"[index]}.`).join(
  " ",
)

describe("a text-to-speech model", () => {
  test("says what it is", () => {
    expect(voice.info).toMatchObject({ kind: "tts", family: "vits", threads: 1, devices: ["CPU"] })
    expect(voice.info.footprint.ramBytes).toBeGreaterThan(10e6)
  })

  test("speaks as many samples as its graph makes of each character", async () => {
    const { samples, done } = await voice.speak({ input: "abc xyz." })
    expect(samples).toBe("abc xyz.".length * SAMPLES_PER_CHARACTER)
    expect(done.usage).toEqual({
      characters: 8,
      sentences: 1,
      audioSeconds: samples / TONE_SAMPLE_RATE,
    })
    expect(done.timings).toMatchObject({ queueMs: 1, loadMs: 2 })
  })

  test("tells the format and the speaker before the first sound", async () => {
    const { events } = await voice.speak({ format: "mp3", voice: "2" })
    expect(events.map(({ type }) => type)).toEqual(["voice", "audio", "audio", "done"])
    expect(events[0]).toEqual({ type: "voice", sampleRate: 16_000, speaker: 2, mime: "audio/mpeg" })
  })

  test.each([
    [0.5, 2],
    [1, 1],
    [2, 0.5],
    [4, 0.25],
  ])("at speed %p takes %p times as long", async (speed, factor) => {
    const { samples } = await voice.speak({ input: "abcd.", speed })
    expect(samples).toBe(5 * SAMPLES_PER_CHARACTER * factor)
  })

  test("sends each sentence when it is there", async () => {
    const { audio } = await voice.speak({ input: "one. two! three?", format: "pcm" })
    expect(audio.map(({ samples }) => samples / SAMPLES_PER_CHARACTER)).toEqual([4, 4, 6, 0])
    expect(audio.map(({ bytes }) => bytes.length / 2 / SAMPLES_PER_CHARACTER)).toEqual([4, 4, 6, 0])
  })

  test("reports the memory that its work takes beyond the load, before the work ends", async () => {
    using temp = tempFolder()
    writeTinyTtsModel(join(temp.path, "voice"))
    await using fresh = await RealTtsModel.start(join(temp.path, "voice"))
    const loaded = fresh.info.footprint
    expect(fresh.footprint).toEqual(loaded)
    await fresh.speak({ input: "the long way home ".repeat(20) })
    expect(fresh.footprint.ramBytes).toBeGreaterThan(loaded.ramBytes + 1024 ** 2)
  })

  test("cuts a long first sentence at its first clause", async () => {
    const clause = "when the long day came to its end,"
    const { audio } = await voice.speak({ input: `${clause} nobody knew who had seen the old man last.` })
    expect(audio[0]?.samples).toBe(clause.length * SAMPLES_PER_CHARACTER)
  })

  test("speaks several requests by turns, a sentence of each", async () => {
    const long = voice.submit({ input: TEN_SENTENCES.repeat(100) })
    await long.sound()
    const short = await voice.speak({ input: "short. and sweet." })
    expect(short.done.usage.sentences).toBe(2)
    expect(long.events.some(({ type }) => type === "done")).toBe(false)
    voice.cancel(long)
  })

  test("stops at the next part once its client is gone, and serves the others", async () => {
    const gone = voice.submit({ input: TEN_SENTENCES.repeat(400) })
    await gone.sound()
    voice.cancel(gone)
    const { done } = await voice.speak({ input: "still here." })
    expect(done.usage.sentences).toBe(1)
    // Some parts may have been on their way.
    expect(gone.audio.length).toBeLessThan(2000)
    expect(gone.events.some(({ type }) => type === "done")).toBe(false)
  })
})

describe.skipIf(!hasFfmpeg())("what ffmpeg decodes of a stream", () => {
  test.each(FORMATS)("as %s has the samples that the voice made", async (format) => {
    const input = "the quick brown fox. jumps over, the lazy dog!"
    const raw = await voice.speak({ input, format: "pcm" })
    const spoken = await voice.speak({ input, format })
    expect(spoken.voice.mime).toBe(MIMES[format])
    const { samples, sampleRate } = await decodeAudio(spoken.bytes, format, TONE_SAMPLE_RATE)
    const extra = (samples.length - (raw.samples * sampleRate) / TONE_SAMPLE_RATE) / sampleRate
    expect(extra).toBeGreaterThanOrEqual(0)
    expect(extra).toBeLessThanOrEqual(LOSSY_TAIL[format] ?? 0)
  })

  test.each(["wav", "pcm", "flac"] as const)("as %s is the same to the last bit", async (format) => {
    const raw = await voice.speak({ input: "abc. def.", format: "pcm" })
    const { bytes } = await voice.speak({ input: "abc. def.", format })
    const { samples } = await decodeAudio(bytes, format, TONE_SAMPLE_RATE)
    expect(Buffer.from(samples.buffer).equals(Buffer.from(raw.bytes))).toBe(true)
  })
})

describe("a file", () => {
  test.each(["wav", "flac", "mp3", "aac"] as const)(
    "as %s has nothing of the one before it",
    async (format) => {
      const first = await voice.speak({ input: "abc. def.", format })
      await voice.speak({ input: "something else, and longer.", format })
      const second = await voice.speak({ input: "abc. def.", format })
      expect(Buffer.from(second.bytes).equals(Buffer.from(first.bytes))).toBe(true)
    },
  )
})

describe("another sample rate", () => {
  test.each([
    ["pcm", 24_000],
    ["wav", 8000],
    ["flac", 44_100],
    ["mp3", 48_000],
    ["opus", 16_000],
    ["aac", 22_050],
  ] as const)("of %s is %p where that is requested", async (format, sampleRate) => {
    const own = await voice.speak({ input: "abc. def.", format: "pcm" })
    const {
      voice: told,
      samples,
      bytes,
      done,
    } = await voice.speak({ input: "abc. def.", format, sampleRate })
    expect(told.sampleRate).toBe(sampleRate)
    // What is counted is what the voice made.
    expect(samples).toBe(own.samples)
    expect(done.usage.audioSeconds).toBe(own.samples / TONE_SAMPLE_RATE)
    if (format === "pcm") expect(bytes.length / 2 / 24_000).toBeCloseTo(own.samples / TONE_SAMPLE_RATE, 2)
  })

  test.each([
    ["mp3", 12_345],
    ["opus", 44_100],
    ["aac", 9999],
  ] as const)("is refused for %s at %p, with those that there are", async (format, sampleRate) => {
    const speaking = voice.submit({ format, sampleRate })
    await speaking.over
    expect(speaking.error).toMatchObject({ status: 400, param: "sample_rate" })
    expect(speaking.error?.message).toMatch(
      new RegExp(`^sample_rate must be one of [\\d, ]+ for ${format}, got ${sampleRate}$`),
    )
  })
})

describe("Markdown", () => {
  const input = "**abc**\n- de\n- fg"

  test("is not spoken", async () => {
    const { samples, done } = await voice.speak({ input, format: "pcm" })
    const sounds = "abcdefg".length * SAMPLES_PER_CHARACTER
    // The second half of each sound is silent, and so are the pauses after two of the three lines.
    expect(samples).toBe(sounds + 2 * (0.35 * TONE_SAMPLE_RATE - SAMPLES_PER_CHARACTER / 2))
    expect(done.usage.sentences).toBe(3)
  })

  test("is given to the voice if that is asked for", async () => {
    const { samples } = await voice.speak({ input: "'abc'", format: "pcm", rawText: true })
    expect(samples).toBe(5 * SAMPLES_PER_CHARACTER)
  })
})

describe("a request that cannot be spoken", () => {
  test.each([
    [
      "an unknown voice",
      { voice: "nobody" },
      "voice",
      /'nobody' does not exist; this model has voices from 0 to 3/,
    ],
    ["a number without a speaker", { voice: "4" }, "voice", /'4' does not exist/],
    ["an empty text", { input: " \n\t " }, "input", /nothing to speak/],
    ["control characters alone", { input: "\u0000\u0007\u001b" }, "input", /nothing to speak/],
    ["signs that the voice does not know", { input: "日本語" }, "input", /no audio for this input/],
  ])("for %s is refused by the field", async (_, request, param, message) => {
    const speaking = voice.submit(request)
    await speaking.over
    expect(speaking.error).toMatchObject({ status: 400, param })
    expect(speaking.error?.message).toMatch(message)
  })

  test.each(["0", "3", "alloy", "Nova"])("is not one for the voice %p", async (name) => {
    const { voice: told } = await voice.speak({ voice: name })
    expect(told.speaker).toBe(name === "3" ? 3 : 0)
  })
})

describe("odd texts", () => {
  test.each([
    ["emoji", "hello 🙂👩‍👩‍👧‍👦 there"],
    ["half of a character", "hello \ud83d there"],
    ["controls between words", "hello\u0000 \u001b[31mthere\u0007"],
    ["markup", '<speak><break time="1s"/>hello &amp; there</speak>'],
    ["other scripts", "hello мир 世界 שלום"],
    ["a word without an end", "a".repeat(4000)],
    ["only marks", "hello... ?! — «»"],
    ["many newlines", "hello\n\n\n\n\nthere\r\n"],
  ])("with %s are spoken", async (_, input) => {
    const { samples, done } = await voice.speak({ input, format: "pcm" })
    expect(samples).toBeGreaterThan(0)
    expect(done.usage.characters).toBe([...input].length)
  })

  test("with characters that the voice lacks are spoken without them, with a warning", async () => {
    const spoken = await voice.speak({ input: "Hello мир, 世界. Hello.", format: "pcm" })
    const warnings = [
      "left out characters that this voice cannot speak: 'м' (U+043C), 'и' (U+0438), 'р' (U+0440), " +
        "'世' (U+4E16), '界' (U+754C)",
    ]
    expect(spoken.done.warnings).toEqual(warnings)
    expect(spoken.voice.warnings).toEqual(warnings)
    expect((await voice.speak({ input: "Hello. It's me!", format: "pcm" })).done).not.toHaveProperty(
      "warnings",
    )
  })
})
