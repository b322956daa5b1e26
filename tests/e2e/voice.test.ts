import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { statSync } from "node:fs"
import { join } from "node:path"
import type { AudioFormat } from "../../src/domain/media/speech"
import { writePiperVoice } from "../support/files/speech-models"
import { TONE_SAMPLE_RATE, writeTinyTtsModel } from "../support/files/tiny-tts-model"
import { installBinary, runProgram } from "../support/real/binary"
import { decodeAudio, hasFfmpeg } from "../support/real/ffmpeg"
import { RealTtsModel } from "../support/real/real-tts-model"
import { tempFolder } from "../support/temp-folder"

const ROOT = join(import.meta.dir, "../..")

/** The largest executable for text only that is acceptable, in bytes. */
const CORE_SIZE_LIMIT = 150e6

const folder = tempFolder()
const tiny = join(folder.path, "tiny")
const piper = join(folder.path, "piper")
let xllm = ""

beforeAll(async () => {
  xllm = await installBinary(folder.path)
  writeTinyTtsModel(tiny)
  writePiperVoice(piper)
})
afterAll(() => folder[Symbol.dispose]())

describe("a voice in the executable", () => {
  test.skipIf(!hasFfmpeg())("speaks in every format", async () => {
    await using voice = await RealTtsModel.start(tiny, { command: [xllm] })
    const request = { input: "the quick brown fox. jumps over, the lazy dog!" }
    const raw = await voice.speak({ ...request, format: "pcm" })
    const tails: Readonly<Record<AudioFormat, number>> = {
      wav: 0,
      pcm: 0,
      flac: 0,
      opus: 0,
      mp3: 0.12,
      aac: 0.12,
    }
    for (const [format, tail] of Object.entries(tails) as [AudioFormat, number][]) {
      const { bytes } = await voice.speak({ ...request, format })
      const { samples, sampleRate } = await decodeAudio(bytes, format, TONE_SAMPLE_RATE)
      const extra = samples.length / sampleRate - raw.samples / TONE_SAMPLE_RATE
      expect([format, extra >= 0 && extra <= tail]).toEqual([format, true])
    }
  })

  test("has the data of espeak-ng with it", async () => {
    const derivedFolder = join(folder.path, "derived/1")
    await using voice = await RealTtsModel.start(piper, { command: [xllm], derivedFolder })
    expect((await voice.speak({ input: "good moon." })).samples).toBeGreaterThan(0)
  })

  test("ends with a reason where it cannot be loaded", async () => {
    const broken = join(folder.path, "broken")
    writeTinyTtsModel(broken, { tokens: "a 1\nb\n" })
    expect(RealTtsModel.start(broken, { command: [xllm] })).rejects.toThrow(/line 2: 'b' is not a symbol/)
  })
})

describe("the executable for text only", () => {
  test("is smaller, and says that it has no voices", async () => {
    const core = join(folder.path, "core")
    const { exitCode, stderr } = await runProgram(
      [process.execPath, join(ROOT, "build.ts"), "--flavour", "core", "--outfile", core],
      { cwd: ROOT, env: { PATH: process.env["PATH"] ?? "", HOME: folder.path } },
    )
    expect([stderr, exitCode]).toEqual(["", 0])
    expect(statSync(core).size).toBeLessThan(CORE_SIZE_LIMIT)
    expect(RealTtsModel.start(tiny, { command: [core] })).rejects.toThrow(
      /this build of xLLM runs text models only/,
    )
  })
})
