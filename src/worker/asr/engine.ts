import { languageCode } from "../../domain/media/language"
import type { LoadedMediaInfo } from "../../domain/loaded-model"
import type {
  TranscriptionEvent,
  TranscriptionRequest,
  TranscriptSegment,
} from "../../domain/media/transcription"
import type { AsrModel } from "../../formats/speech/asr-model"
import { ASR_SAMPLE_RATE, decodeAudio } from "../audio/decoders/decode"
import type { Recording } from "../audio/decoders/recording"
import type { Resampler } from "../audio/encoders/create"
import type { Job, MediaEngine } from "../media-shell"
import type { Sherpa } from "../sherpa"
import { checkTask, chooseLanguage } from "./language"
import { FRAME_RATE, frameLoudness, levelled, silenceOutside } from "./loudness"
import { hasNoWords } from "./no-words"
import { toSegments } from "./segments"
import { cannotBeSpeech } from "./steady-sound"
import type { Hypothesis, Manner, Transcriber } from "./transcriber"
import { findSpeech } from "./voice-activity"
import { cutIntoWindows, halve, type Window } from "./windows"
import { toWords } from "./words"

/** Concurrent requests; they take turns, one window each. */
const SLOTS = 4
/** How long decoding a recording may run before it yields to other requests and sends a heartbeat, in ms. */
const PAUSE_EVERY_MS = 250
const SAMPLES_PER_FRAME = ASR_SAMPLE_RATE / FRAME_RATE

export interface LoadedAsr {
  readonly sherpa: Sherpa
  readonly transcriber: Transcriber
  readonly model: AsrModel
  readonly threads: number
  /** Path of a voice-activity model; if absent, pauses are found by loudness, and only steady sounds are no speech. */
  readonly voiceActivityPath?: string
}

/** A recording being transcribed. */
interface Dictation {
  readonly recording: Recording
  readonly loudness: Float32Array
  readonly manner: Manner
  readonly job: Job<TranscriptionEvent>
}

/** One ASR model. Transcribes a recording window by window and emits each result at once. */
export class AsrEngine implements MediaEngine<TranscriptionRequest, TranscriptionEvent> {
  readonly info: Omit<LoadedMediaInfo, "footprint">
  readonly #loaded: LoadedAsr

  constructor(loaded: LoadedAsr) {
    const { model, threads } = loaded
    this.#loaded = loaded
    this.info = {
      kind: "asr",
      family: model.description.family,
      threads,
      slots: SLOTS,
      modelBytes: model.description.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      devices: ["CPU"],
    }
  }

  async work(request: TranscriptionRequest, job: Job<TranscriptionEvent>): Promise<void> {
    const startedAt = performance.now()
    const { description, plan } = this.#loaded.model
    checkTask(description, request.task)
    let language = chooseLanguage(description, request.language)
    const warnings = this.#warningsOf(request)
    const recording = await this.#decode(request, job, (warning) => warnings.push(warning))
    job.emit({ type: "audio", seconds: recording.seconds })
    const loudness = await this.#loudnessOfSpeech(recording, job)
    let index = 0
    for (const window of cutIntoWindows(loudness, plan.windowSeconds)) {
      const manner: Manner = { task: request.task, language }
      for await (const hypothesis of this.#transcribe(window, { recording, loudness, manner, job })) {
        // The language found in the first window applies to the rest: it does not change at a cut.
        language ??= hypothesis.language
        for (const segment of this.#segmentsOf(hypothesis, recording.seconds, request.wordTimes))
          job.emit({
            type: "segment",
            segment: { ...segment, seek: hypothesis.window.start, index: index++ },
          })
      }
    }
    job.emit({
      type: "done",
      language: language ?? onlyOne(description.languages) ?? languageCode(request.language ?? ""),
      usage: { audioSeconds: recording.seconds },
      ...(warnings.length > 0 && { warnings }),
      timings: { queueMs: job.queueMs, loadMs: job.loadMs, workMs: performance.now() - startedAt },
    })
  }

  /** What of the request the model cannot do, without being wrong. */
  #warningsOf({ language, wordTimes }: TranscriptionRequest): string[] {
    const { plan, description } = this.#loaded.model
    const warnings: string[] = []
    if (wordTimes && !plan.timed)
      warnings.push("this model reports no times of words: the transcript has none")
    const given = languageCode(language ?? "")
    if (given !== undefined && plan.language.how === "none" && onlyOne(description.languages) !== given)
      warnings.push(`language '${language}' was ignored: this model cannot be told a language`)
    return warnings
  }

  #decode(
    request: TranscriptionRequest,
    job: Job<TranscriptionEvent>,
    warn: (message: string) => void,
  ): Promise<Recording> {
    const { sherpa } = this.#loaded
    const makeResampler = (from: number): Resampler => {
      const resampler = sherpa.createLinearResampler(from, ASR_SAMPLE_RATE)
      return {
        push: (samples) => sherpa.resampleLinear(resampler, samples, 0),
        end: () => sherpa.resampleLinear(resampler, new Float32Array(0), 1),
      }
    }
    return decodeAudio(request.audioPath, { makeResampler, pause: pauses(job), warn })
  }

  /** The loudness of the recording, of its speech only where a model of voice activity is there to find it. */
  async #loudnessOfSpeech(recording: Recording, job: Job<TranscriptionEvent>): Promise<Float32Array> {
    const { sherpa, voiceActivityPath } = this.#loaded
    const loudness = levelled(frameLoudness(recording))
    if (voiceActivityPath === undefined) return loudness
    return silenceOutside(loudness, await findSpeech(sherpa, voiceActivityPath, recording, pauses(job)))
  }

  /** Transcribes one window, or its halves if the engine stopped before the end. */
  async *#transcribe(
    window: Window,
    dictation: Dictation,
  ): AsyncGenerator<Hypothesis & { readonly window: Window }, void, undefined> {
    const { recording, manner, job, loudness } = dictation
    const { transcriber } = this.#loaded
    const samples = recording.slice(window.start * SAMPLES_PER_FRAME, window.end * SAMPLES_PER_FRAME)
    // Models find words in anything, such as "[Music]" in noise.
    if (cannotBeSpeech(samples, loudness.subarray(window.start, window.end))) return
    let hypothesis = await job.step(() => transcriber.transcribe(samples, manner))
    const halves = hypothesis.isCutOff ? halve(loudness, window) : undefined
    if (halves !== undefined) {
      for (const half of halves) yield* this.#transcribe(half, dictation)
      return
    }
    if (hypothesis.text === "")
      hypothesis = await job.step(() => transcriber.transcribeAgain(samples, manner))
    if (!hasNoWords(hypothesis.text)) yield { ...hypothesis, window }
  }

  #segmentsOf(
    hypothesis: Hypothesis & { readonly window: Window },
    recordingSeconds: number,
    wordTimes: boolean,
  ): Omit<TranscriptSegment, "index">[] {
    const start = hypothesis.window.start / FRAME_RATE
    const end = Math.min(hypothesis.window.end / FRAME_RATE, recordingSeconds)
    if (!this.#loaded.model.plan.timed || hypothesis.timestamps.length !== hypothesis.tokens.length)
      return [{ start, end, text: hypothesis.text }]
    const words = toWords(hypothesis, end - start).map((word) => ({
      ...word,
      start: start + word.start,
      end: start + word.end,
    }))
    const segments = toSegments(words).filter(({ text }) => !hasNoWords(text))
    return segments.map(({ words: ofSegment, ...segment }) => ({
      ...segment,
      ...(wordTimes && ofSegment !== undefined && { words: ofSegment }),
    }))
  }
}

/** Returns a function that runs an empty step if the last one was at least PAUSE_EVERY_MS ago. */
function pauses(job: Job<TranscriptionEvent>): () => Promise<void> {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < PAUSE_EVERY_MS) return
    await job.step(() => new Promise((resolve) => setImmediate(resolve)))
    last = performance.now()
  }
}

function onlyOne(languages: readonly string[]): string | undefined {
  return languages.length === 1 ? languages[0] : undefined
}
