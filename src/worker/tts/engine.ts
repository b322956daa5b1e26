import type { LoadedMediaInfo } from "../../domain/loaded-model"
import type { SpeechEvent, SpeechRequest } from "../../domain/media/speech"
import { reasonOf } from "../../errors/base"
import { InvalidRequest } from "../../errors/request"
import { CHINESE, languageOfSpeaker } from "../../formats/speech/speaker-language"
import type { TtsModel } from "../../formats/speech/tts-model"
import { chooseRate, createEncoder, type Resampler } from "../audio/encoders/create"
import type { AudioEncoder } from "../audio/encoders/encoder"
import type { Job, MediaEngine } from "../media-shell"
import type { Sherpa, TtsHandle } from "../sherpa"
import type { EspeakData } from "./espeak-data"
import { toBlocks } from "./blocks"
import { toReadable } from "./readable"
import { PauseShaper } from "./pauses"
import { type PieceOptions, type SpeechPiece, splitIntoPieces } from "./pieces"
import { stopRulesFor } from "./abbreviations"
import { withoutInnerStops } from "./sentences"
import { chooseSpeaker } from "./speakers"
import { unspokenWarning } from "./unspoken"

/** Concurrent requests; they take turns, one sentence each. */
const SLOTS = 4

/** The first synthesis is slower than later ones. */
const WARM_UP = "a"

export interface LoadedTts {
  readonly sherpa: Sherpa
  readonly tts: TtsHandle
  readonly voice: TtsModel
  readonly threads: number
  readonly espeak?: EspeakData
  /** All that it can speak, where it speaks a text letter by letter. */
  readonly characters?: ReadonlySet<string>
}

/** The voice parameters of one request. */
interface Manner {
  readonly speaker: number
  readonly speed: number
  /** espeak-ng's name of the language; absent: the voice's own. */
  readonly language?: string
}

/** One request being spoken. */
interface Speaking {
  readonly pieces: readonly SpeechPiece[]
  readonly manner: Manner
  readonly opened: Promise<AudioEncoder>
  readonly job: Job<SpeechEvent>
}

/** Is it the name of a Chinese voice that Kokoro's authors publish, but that is not offered here? */
function lacksChinese({ description, plan }: TtsModel, voice: string): boolean {
  const isChinese = plan.family === "kokoro" && languageOfSpeaker(voice) === CHINESE
  return isChinese && !description.speakers.includes(voice)
}

function chineseRefusal(name: string | number): InvalidRequest {
  return new InvalidRequest(
    `the voice '${name}' speaks Chinese, for which this model has no lexicon (lexicon-zh.txt)`,
    "voice",
  )
}

function piecesOf({ input, rawText = false }: SpeechRequest, options: PieceOptions): SpeechPiece[] {
  if (rawText) return splitIntoPieces(toBlocks(input), options)
  const rules = stopRulesFor(options.language)
  const pieces = splitIntoPieces(toBlocks(toReadable(input), { raw: false }), options)
  return pieces.map(({ text, ends }) => ({ text: withoutInnerStops(text, rules), ends }))
}

/** One voice. Synthesizes text piece by piece, and encodes and emits each at once. */
export class TtsEngine implements MediaEngine<SpeechRequest, SpeechEvent> {
  readonly info: Omit<LoadedMediaInfo, "footprint">
  readonly #loaded: LoadedTts
  readonly #sampleRate: number
  /** Undefined where its files do not tell. */
  readonly #language: string | undefined

  constructor(loaded: LoadedTts) {
    const { sherpa, tts, voice, threads } = loaded
    this.#loaded = loaded
    this.#sampleRate = sherpa.getOfflineTtsSampleRate(tts)
    this.#language = voice.plan.espeak?.language ?? voice.description.languages[0]
    this.info = {
      kind: "tts",
      family: voice.description.family,
      threads,
      slots: SLOTS,
      modelBytes: voice.description.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      devices: ["CPU"],
    }
  }

  /** Synthesizes a short text, so that the first request does not pay for lazy initialization. */
  async warmUp(): Promise<void> {
    await this.#synthesize(WARM_UP, { speaker: 0, speed: 1 }, () => true)
  }

  async work(request: SpeechRequest, job: Job<SpeechEvent>): Promise<void> {
    const startedAt = performance.now()
    const manner = this.#mannerOf(request)
    this.#refuseKanji(request.input, manner)
    const { language = this.#language, speed } = manner
    const { format } = request
    const pieces = piecesOf(request, { language, speed })
    if (pieces.length === 0) throw new InvalidRequest("the input has nothing to speak", "input")
    const warnings = this.#warningsAbout(pieces)
    const rate = chooseRate(format, this.#sampleRate, request.sampleRate)
    // Made while the first piece is synthesised: some take as long as a short one.
    const encoder = createEncoder(format, this.#sampleRate, this.#resampler, rate)
    const opened = encoder.then((made) => {
      const { sampleRate, mime } = made
      job.emit({ type: "voice", sampleRate, speaker: manner.speaker, mime, ...warnings })
      return made
    })
    const samples = await this.#speak({ pieces, manner, opened, job })
    job.emit({
      type: "done",
      usage: {
        characters: [...request.input].length,
        sentences: pieces.filter(({ ends }) => ends !== "clause" && ends !== "nothing").length,
        audioSeconds: samples / this.#sampleRate,
      },
      timings: { queueMs: job.queueMs, loadMs: job.loadMs, workMs: performance.now() - startedAt },
      ...warnings,
    })
  }

  #warningsAbout(pieces: readonly SpeechPiece[]): { readonly warnings?: readonly string[] } {
    const { characters } = this.#loaded
    const texts = pieces.map(({ text }) => text)
    const warning = characters && unspokenWarning(texts, characters)
    return warning === undefined ? {} : { warnings: [warning] }
  }

  /** Resolves to the number of samples. */
  async #speak({ pieces, manner, opened, job }: Speaking): Promise<number> {
    let total = 0
    let encoding = opened
    const pauses = new PauseShaper(this.#sampleRate, manner.speed)
    const encode = (samples: Float32Array) => {
      if (samples.length === 0) return
      encoding = encoding.then((encoder) => {
        total += samples.length
        job.emit({ type: "audio", bytes: encoder.push(samples), samples: samples.length })
        return encoder
      })
      encoding.catch(() => undefined) // the same error is thrown below, where the promise is awaited
    }
    for (const [index, { text, ends }] of pieces.entries()) {
      const after = index === pieces.length - 1 ? "text" : ends
      const take = (samples: Float32Array) => {
        encode(pauses.push(samples, after))
        return !job.signal.aborted
      }
      await job.step(() => this.#synthesize(text, manner, take))
      pauses.endPiece(after)
      await encoding
    }
    if (total === 0) throw new InvalidRequest("the model produced no audio for this input", "input")
    job.emit({ type: "audio", bytes: (await encoding).end(), samples: 0 })
    return total
  }

  /**
   * Synthesizes one piece. `take` receives each part and returns false to stop. A piece that the voice cannot
   * pronounce (only characters of another script) yields no samples.
   */
  async #synthesize(
    text: string,
    { speaker, speed, language }: Manner,
    take: (samples: Float32Array) => boolean,
  ): Promise<void> {
    const { sherpa, tts } = this.#loaded
    const speaking = sherpa.offlineTtsGenerateAsyncWithConfig(tts, {
      text,
      generationConfig: {
        sid: speaker,
        speed,
        silenceScale: 1,
        ...(language !== undefined && { extra: { lang: language } }),
      },
      enableExternalBuffer: false,
      callback: ({ samples }) => (take(samples) ? 1 : 0),
    })
    await speaking.catch((error: unknown) => console.error(`not spoken: ${reasonOf(error)}`))
  }

  #mannerOf({ voice, speed }: SpeechRequest): Manner {
    const { voice: model, espeak } = this.#loaded
    if (voice !== undefined && lacksChinese(model, voice)) throw chineseRefusal(voice)
    const speaker = chooseSpeaker(model.description.speakers, voice)
    // The engine replaces the length scale with this, so it must include the scale.
    const manner = { speaker, speed: speed / model.plan.lengthScale }
    const language = model.plan.espeak?.speakerLanguages?.[speaker]
    if (!language) return manner
    const name = model.description.speakers[speaker] ?? speaker
    if (language === CHINESE) throw chineseRefusal(name)
    const known = espeak?.nameOf(language)
    if (known === undefined)
      throw new InvalidRequest(
        `the voice '${name}' speaks '${language}', for which there is no espeak-ng ` +
          "data here; install it (on Debian and Ubuntu: apt install espeak-ng-data)",
        "voice",
      )
    return { ...manner, language: known }
  }

  /** Kokoro's front end takes kanji for Chinese, and leaves out those that its lexicon lacks. */
  #refuseKanji(input: string, { language }: Manner): void {
    if (this.#loaded.voice.plan.family !== "kokoro" || language !== "ja") return
    const kanji = /\p{sc=Han}/u.exec(input)?.[0]
    if (kanji === undefined) return
    throw new InvalidRequest(
      `Japanese is spoken by its kana only, and the text has kanji such as '${kanji}'; write them in kana`,
      "input",
    )
  }

  readonly #resampler = (from: number, to: number): Resampler => {
    const { sherpa } = this.#loaded
    const resampler = sherpa.createLinearResampler(from, to)
    return {
      push: (samples) => sherpa.resampleLinear(resampler, samples, 0),
      end: () => sherpa.resampleLinear(resampler, new Float32Array(0), 1),
    }
  }
}
