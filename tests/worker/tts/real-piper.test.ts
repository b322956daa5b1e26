import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { statSync } from "node:fs"
import { join } from "node:path"
import type { TtsDetails } from "../../../src/domain/model"
import type { AudioFormat } from "../../../src/domain/media/speech"
import { estimateNeed } from "../../../src/engine/residency/estimate"
import { decodeAudio, hasFfmpeg } from "../../support/real/ffmpeg"
import { realSpeech } from "../../support/real/real-speech"
import { RealTtsModel } from "../../support/real/real-tts-model"
import { tempFolder } from "../../support/temp-folder"
import { SETTINGS } from "../../support/test-engine"

const real = realSpeech()
const RATE = 22_050

const SENTENCES = [
  "The old lighthouse stood on a cliff above the grey sea.",
  "Every evening, the keeper climbed the stairs and lit the lamp.",
  "Dr. Brown paid 3.50 for it; nobody asked why!",
]

const DETAILS: TtsDetails = {
  name: "m",
  path: "/m",
  id: "1",
  modifiedAt: new Date(0),
  license: undefined,
  capabilities: [],
  files: [],
  kind: "tts",
  sizeBytes: 0,
  family: "piper",
  sampleRate: RATE,
  speakers: [undefined],
  languages: [],
}

/** The longest silence between two sounds, in seconds. */
function longestPause(samples: Int16Array): number {
  const frame = RATE / 100
  let longest = 0
  let silent = 0
  let hasSound = false
  for (let start = 0; start + frame <= samples.length; start += frame) {
    const isSilent = samples.subarray(start, start + frame).every((sample) => Math.abs(sample) < 200)
    if (!isSilent && hasSound) longest = Math.max(longest, silent)
    hasSound ||= !isSilent
    silent = isSilent ? silent + 1 : 0
  }
  return longest / 100
}

const folder = tempFolder()
let voice: RealTtsModel

describe.skipIf(real === undefined)("a real voice of Piper", () => {
  const path = real?.piper ?? ""
  const before = real === undefined ? undefined : statSync(path)

  beforeAll(async () => {
    voice = await RealTtsModel.start(path, { derivedFolder: join(folder.path, "derived/1"), threads: 2 })
  })
  afterAll(async () => {
    await voice[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  test("leaves its file as it was pulled", () => {
    const after = statSync(path)
    expect([after.size, after.mtimeMs]).toEqual([before?.size ?? 0, before?.mtimeMs ?? 0])
  })

  test("speaks a sentence a part, at a speaker's pace", async () => {
    const {
      audio,
      samples,
      done,
      voice: told,
    } = await voice.speak({ input: SENTENCES.join(" "), format: "pcm" })
    expect(told).toEqual({ type: "voice", sampleRate: RATE, speaker: 0, mime: "audio/pcm" })
    // espeak-ng divides some sentences further.
    expect(audio.filter((part) => part.samples > 0).length).toBeGreaterThanOrEqual(3)
    expect(done.usage.sentences).toBe(3)
    const words = SENTENCES.join(" ").split(" ").length
    const wordsPerSecond = words / (samples / RATE)
    expect(wordsPerSecond).toBeGreaterThan(2)
    expect(wordsPerSecond).toBeLessThan(5.5)
  })

  test("pauses where a reader would, and not at abbreviations", async () => {
    const spoken = async (input: string) => {
      const { bytes } = await voice.speak({ input, format: "pcm" })
      return longestPause(new Int16Array(Uint8Array.from(bytes).buffer))
    }
    expect(await spoken("The U.S. Senate met J. R. Brown of Acme Corp. Friday.")).toBeLessThan(0.18)
    const list = await spoken("1. wash the car\n2. cook dinner")
    expect(list).toBeGreaterThan(0.3)
    expect(list).toBeLessThan(0.6)
  })

  test(
    "takes no more memory than is planned for it, whatever the text",
    async () => {
      const text = "the quick brown fox jumps over the lazy dog and then it sleeps in the warm sun "
      await voice.speak({ input: text.repeat(21), format: "pcm" })
      await voice.speak({ input: text.repeat(3), speed: 0.25, format: "pcm" })
      const sizeBytes = (before?.size ?? 0) + statSync(`${path}.json`).size
      const details = { kind: "tts", sizeBytes } as const
      const need = estimateNeed({ ...DETAILS, ...details }, SETTINGS, { freeBytes: 0 })
      const planned = need.processBytes + need.layerBytes + need.computeBytes
      expect(voice.footprint.ramBytes).toBeGreaterThan(voice.info.footprint.ramBytes)
      expect(voice.footprint.ramBytes).toBeLessThan(planned * 1.1)
    },
    { timeout: 300_000 },
  )

  const formats: readonly [AudioFormat, number][] = [
    ["wav", 0],
    ["pcm", 0],
    ["flac", 0],
    ["opus", 0],
    ["mp3", 0.12],
    ["aac", 0.12],
  ]
  test.skipIf(!hasFfmpeg()).each(formats)(
    "as %s is decoded to what it made and at most %p s more",
    async (format, tail) => {
      const { bytes, samples: made } = await voice.speak({ input: SENTENCES.join(" "), format })
      const { samples, sampleRate } = await decodeAudio(bytes, format, RATE)
      // Opus is resampled first, so a sample may be cut at the end.
      const extra = samples.length / sampleRate - made / RATE
      expect(extra).toBeGreaterThan(-2 / RATE)
      expect(extra).toBeLessThan(tail + 2 / RATE)
    },
  )

  test.each([
    ["another script", "これは日本語です。"],
    ["emoji", "🙂🙃 🎉"],
    ["markup", '<speak>Hello <break time="1s"/> world</speak>'],
    ["nothing but marks and a word", "... ?! — ok"],
  ])("says something for %s", async (_, input) => {
    expect((await voice.speak({ input, format: "pcm" })).samples).toBeGreaterThan(0)
  })
})
