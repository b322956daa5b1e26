import { afterAll, describe, expect, test } from "bun:test"
import { copyFileSync, cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import type { AudioFormat } from "../../../src/domain/media/speech"
import { mulberry } from "../../support/files/mulberry"
import { encodeWav } from "../../support/files/recordings"
import { HARVARD_SENTENCES } from "../../support/files/sentences"
import { hasFfmpeg } from "../../support/real/ffmpeg"
import { RealAsrModel } from "../../support/real/real-asr-model"
import { BECKETT, realSpeech, TWO_CITIES } from "../../support/real/real-speech"
import { RealTtsModel } from "../../support/real/real-tts-model"
import { tempFolder } from "../../support/temp-folder"
import { wordErrorRate } from "../../support/word-errors"

const real = realSpeech()
const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

/** Where a model's derived files go; what lies two folders up is taken for the folder of all models. */
const derivedFolder = (name: string): string => join(folder.path, "models/derived", name)

const LONG_MS = 600_000

describe.skipIf(real === undefined)("real recordings of people", () => {
  test(
    "are written down by Whisper, over the weights of faster-whisper",
    async () => {
      if (real === undefined) return
      await using whisper = await RealAsrModel.start(real.whisper, {
        derivedFolder: derivedFolder("whisper"),
      })
      expect(whisper.info).toMatchObject({ family: "whisper" })
      const short = await whisper.transcribe(real.beckett, { wordTimes: true })
      expect(wordErrorRate(BECKETT, short.text)).toBeLessThanOrEqual(0.1)
      expect(short.done.language).toBe("en")

      // Longer than Whisper hears at once: no word is lost or doubled where it is cut.
      const long = await whisper.transcribe(real.twoCities, { wordTimes: true })
      expect(wordErrorRate(TWO_CITIES, long.text)).toBeLessThanOrEqual(0.05)
      const words = long.segments.flatMap((segment) => segment.words ?? [])
      words.forEach(({ start, end }, i) => {
        expect(end).toBeGreaterThanOrEqual(start)
        expect(start).toBeGreaterThanOrEqual(words[i - 1]?.start ?? 0)
      })
      expect(words.at(-1)?.end).toBeGreaterThan(38)
      expect(words.at(-1)?.end).toBeLessThan(45)
      // What was read 29 s into the recording, by its clock.
      expect(words.find(({ word }) => word === "short,")?.start).toBeCloseTo(29.5, 0)

      // The weights were not copied, only linked.
      const linked = statSync(join(derivedFolder("whisper"), "model.bin"))
      expect(linked.size).toBe(statSync(join(real.whisper, "model.bin")).size)
      expect(statSync(join(derivedFolder("whisper"), "decoder.onnx")).size).toBeLessThan(200_000)
    },
    LONG_MS,
  )

  test(
    "are written down by Moonshine, with pauses found by Silero's model",
    async () => {
      if (real === undefined) return
      const derived = derivedFolder("moonshine")
      await using moonshine = await RealAsrModel.start(real.moonshine, { derivedFolder: derived })
      expect(moonshine.info).toMatchObject({ family: "moonshine" })
      expect(wordErrorRate(BECKETT, (await moonshine.transcribe(real.beckett)).text)).toBeLessThanOrEqual(0.1)
      const byLoudness = await moonshine.transcribe(real.twoCities)
      expect(wordErrorRate(TWO_CITIES, byLoudness.text)).toBeLessThanOrEqual(0.05)

      copyFileSync(real.voiceActivity, join(folder.path, "models/silero_vad.onnx"))
      await using withSilero = await RealAsrModel.start(real.moonshine, { derivedFolder: derived })
      const bySilero = await withSilero.transcribe(real.twoCities)
      expect(wordErrorRate(TWO_CITIES, bySilero.text)).toBeLessThanOrEqual(0.05)
      // It knows where speech begins, which loudness alone does not.
      expect(bySilero.segments[0]?.start).toBeGreaterThan(byLoudness.segments[0]?.start ?? 0)
    },
    LONG_MS,
  )
})

// AAC is read with ffmpeg.
const FORMATS: readonly AudioFormat[] = [
  "wav",
  "flac",
  "mp3",
  "opus",
  ...(hasFfmpeg() ? (["aac"] as const) : []),
]
const MOST_WRONG = 0.15
/** Voices differ from run to run: the median of three counts, which two that agree decide. */
const RUNS = 3

describe.skipIf(real === undefined)("what is not speech", () => {
  const RATE = 16_000
  const random = mulberry(1)
  const soundsAt: Readonly<Record<string, (second: number) => number>> = {
    silence: () => 0,
    noise: () => 0.6 * random() - 0.3,
    tone: (second) => 0.4 * Math.sin(2 * Math.PI * 440 * second),
    chirp: (second) => 0.4 * Math.sin(2 * Math.PI * (200 + 300 * second) * second),
    moment: (second) => (second < 0.1 ? 0.6 * random() - 0.3 : 0),
  }

  test.each(["by loudness alone", "by Silero's model"])(
    "becomes no words where it is told %s",
    async (how) => {
      if (real === undefined) return
      const models = join(folder.path, how.replaceAll(" ", "-"))
      mkdirSync(models)
      if (how.includes("Silero")) copyFileSync(real.voiceActivity, join(models, "silero_vad.onnx"))
      const derivedFolder = join(models, "derived/whisper")
      await using whisper = await RealAsrModel.start(real.whisper, { derivedFolder })
      for (const [name, sampleAt] of Object.entries(soundsAt)) {
        const path = join(models, `${name}.wav`)
        const samples = Float32Array.from({ length: 3 * RATE }, (_, i) => sampleAt(i / RATE))
        writeFileSync(path, encodeWav(samples, { sampleRate: RATE }))
        expect([name, (await whisper.transcribe(path)).text]).toEqual([name, ""])
      }
      expect(wordErrorRate(BECKETT, (await whisper.transcribe(real.beckett)).text)).toBeLessThanOrEqual(0.1)
    },
    LONG_MS,
  )
})

describe.skipIf(real === undefined)("what a real voice says", () => {
  /** Speaks the sentences, and has them written down. */
  async function roundTrip(voice: RealTtsModel, whisper: RealAsrModel, format: AudioFormat): Promise<number> {
    const path = join(folder.path, `spoken.${format}`)
    writeFileSync(path, (await voice.speak({ input: HARVARD_SENTENCES, format })).bytes)
    const dictation = whisper.submit(path)
    await dictation.over
    if (dictation.error !== undefined) throw dictation.error
    return wordErrorRate(HARVARD_SENTENCES, dictation.text)
  }

  async function isUnderstood(
    voice: RealTtsModel,
    whisper: RealAsrModel,
    format: AudioFormat,
  ): Promise<boolean> {
    const verdicts: boolean[] = []
    while (verdicts.length < RUNS) {
      verdicts.push((await roundTrip(voice, whisper, format)) <= MOST_WRONG)
      for (const verdict of [true, false])
        if (verdicts.filter((each) => each === verdict).length > RUNS / 2) return verdict
    }
    return false
  }

  test(
    "is understood by Whisper in every format",
    async () => {
      if (real === undefined) return
      const options = { derivedFolder: derivedFolder("piper") }
      await using voice = await RealTtsModel.start(real.piper, options)
      await using whisper = await RealAsrModel.start(real.whisper, {
        derivedFolder: derivedFolder("whisper"),
      })
      for (const format of FORMATS)
        expect([format, await isUnderstood(voice, whisper, format)]).toEqual([format, true])
    },
    LONG_MS,
  )

  test(
    "is not understood where its sounds are swapped",
    async () => {
      if (real === undefined) return
      const path = join(folder.path, "swapped", basename(real.piper))
      cpSync(real.piper, path)
      const config = JSON.parse(readFileSync(`${real.piper}.json`, "utf8")) as {
        phoneme_id_map: Record<string, number[]>
      }
      // Every sound but the marks of begin, end and padding takes the number of the seventh after it.
      const sounds = Object.keys(config.phoneme_id_map).filter((sound) => !["^", "$", "_"].includes(sound))
      const ids = sounds.map((sound) => config.phoneme_id_map[sound] ?? [])
      sounds.forEach((sound, i) => (config.phoneme_id_map[sound] = ids[(i + 7) % ids.length] ?? []))
      writeFileSync(`${path}.json`, JSON.stringify(config))
      await using voice = await RealTtsModel.start(path, { derivedFolder: derivedFolder("swapped") })
      await using whisper = await RealAsrModel.start(real.whisper, {
        derivedFolder: derivedFolder("whisper"),
      })
      expect(await roundTrip(voice, whisper, "wav")).toBeGreaterThan(0.8)
    },
    LONG_MS,
  )
})
