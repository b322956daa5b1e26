import { join } from "node:path"
import { readOnnx } from "../../formats/onnx/read"
import type { Recording } from "../audio/decoders/recording"
import type { Sherpa, VadHandle } from "../sherpa"

/** The published file name of Silero's model. */
const FILE_NAME = "silero_vad.onnx"
/** Inputs of versions 4 and 5. */
const INPUTS: readonly (readonly string[])[] = [
  ["input", "state", "sr"],
  ["input", "sr", "h", "c"],
]

const WINDOW_SAMPLES = 512
const BUFFER_SECONDS = 60
const SAMPLES_AT_ONCE = WINDOW_SAMPLES * 300
const THRESHOLD = 0.4
const LEAST_SPEECH_SECONDS = 0.1
const LEAST_SILENCE_SECONDS = 0.2
const MOST_SPEECH_SECONDS = 30
/** Added on both sides, because the model cuts off soft starts and ends of words. */
const MARGIN_SECONDS = 0.1

/** In seconds. */
export interface SpeechStretch {
  readonly start: number
  readonly end: number
}

/** The path of the first usable voice-activity model in `folders`. */
export async function findVoiceActivityModel(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, FILE_NAME)
    if (!(await Bun.file(path).exists())) continue
    try {
      const names = (await readOnnx(path)).inputs.map(({ name }) => name)
      if (INPUTS.some((inputs) => inputs.every((name) => names.includes(name)))) return path
      console.error(`${path} is not used: it is not a Silero VAD model`)
    } catch (error) {
      console.error(`${path} is not used: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return undefined
}

/** The stretches with speech. Yields to the event loop after every ten seconds of audio. */
export async function findSpeech(
  sherpa: Sherpa,
  modelPath: string,
  recording: Recording,
  pause: () => Promise<void>,
): Promise<SpeechStretch[]> {
  const vad = sherpa.createVoiceActivityDetector(
    {
      sileroVad: {
        model: modelPath,
        threshold: THRESHOLD,
        minSpeechDuration: LEAST_SPEECH_SECONDS,
        minSilenceDuration: LEAST_SILENCE_SECONDS,
        maxSpeechDuration: MOST_SPEECH_SECONDS,
        windowSize: WINDOW_SAMPLES,
      },
      sampleRate: recording.sampleRate,
      numThreads: 1,
      provider: "cpu",
      debug: 0,
    },
    BUFFER_SECONDS,
  )
  const stretches: SpeechStretch[] = []
  for (let start = 0; start < recording.length; start += SAMPLES_AT_ONCE) {
    const samples = recording.slice(start, start + SAMPLES_AT_ONCE)
    for (let at = 0; at < samples.length; at += WINDOW_SAMPLES)
      sherpa.voiceActivityDetectorAcceptWaveform(vad, samples.subarray(at, at + WINDOW_SAMPLES))
    stretches.push(...takeStretches(sherpa, vad, recording.sampleRate))
    await pause()
  }
  sherpa.voiceActivityDetectorFlush(vad)
  return [...stretches, ...takeStretches(sherpa, vad, recording.sampleRate)]
}

function takeStretches(sherpa: Sherpa, vad: VadHandle, sampleRate: number): SpeechStretch[] {
  const stretches: SpeechStretch[] = []
  while (!sherpa.voiceActivityDetectorIsEmpty(vad)) {
    const { start, samples } = sherpa.voiceActivityDetectorFront(vad, false)
    stretches.push({
      start: Math.max(0, start / sampleRate - MARGIN_SECONDS),
      end: (start + samples.length) / sampleRate + MARGIN_SECONDS,
    })
    sherpa.voiceActivityDetectorPop(vad)
  }
  return stretches
}
