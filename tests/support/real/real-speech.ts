import { existsSync } from "node:fs"
import { join } from "node:path"

/** Real models and recordings as published by their authors. */
export interface RealSpeech {
  /** A raw Piper voice; its JSON is beside it. */
  readonly piper: string
  /** Whisper tiny.en in faster-whisper's format. */
  readonly whisper: string
  /** Moonshine tiny, English. */
  readonly moonshine: string
  /** Silero's voice activity detection. */
  readonly voiceActivity: string
  /** Ten seconds of a man reading Beckett. */
  readonly beckett: string
  /** 44 seconds of a man reading the opening of "A Tale of Two Cities". */
  readonly twoCities: string
}

const ROOT = join(import.meta.dir, "../../..")

/**
 * The folder with the files: XLLM_TEST_SPEECH, or .cache/speech, which .ci/run fills. Undefined, with a note, if they
 * are missing; tests that need them are skipped then.
 */
export function realSpeech(): RealSpeech | undefined {
  const folder = process.env.XLLM_TEST_SPEECH ?? join(ROOT, ".cache/speech")
  const files: RealSpeech = {
    piper: join(folder, "piper/en_US-joe-medium.onnx"),
    whisper: join(folder, "whisper-tiny.en-ct2"),
    moonshine: join(folder, "moonshine-tiny-en"),
    voiceActivity: join(folder, "silero_vad.onnx"),
    beckett: join(folder, "speech/beckett.wav"),
    twoCities: join(folder, "speech/two_cities.wav"),
  }
  const missing = Object.values(files).find((path: string) => !existsSync(path))
  if (missing === undefined) return files
  console.warn(`skipped: no real speech files (${missing} is missing; set XLLM_TEST_SPEECH to their folder)`)
  return undefined
}

/** The text read in {@link RealSpeech.beckett}. */
export const BECKETT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."

/** The text read in {@link RealSpeech.twoCities}. */
export const TWO_CITIES =
  "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, " +
  "it was the epoch of belief, it was the epoch of incredulity, it was the season of light, it was the season of " +
  "darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing " +
  "before us, we were all going direct to heaven, we were all going direct the other way. In short, the period was " +
  "so far like the present period, that some of its noisiest authorities insisted on its being received, for good " +
  "or for evil, in the superlative degree of comparison only."
