import type { Resampler } from "../encoders/create"
import { AudioFile, brokenAudio } from "./audio-file"
import { type Container, identifyContainer } from "./container"
import { decodeUnknown, decodeWithFfmpeg } from "./ffmpeg"
import { decodeFlac } from "./flac"
import { audioTrack } from "./matroska"
import { decodeMpeg } from "./mpeg"
import { decodeOgg, oggCodec } from "./ogg"
import { decodeOpusTrack } from "./opus-track"
import { mixDown, type Pcm } from "./pcm"
import { Recording } from "./recording"
import { decodeWav, isCompressedWav } from "./wav"

/** The sample rate of ASR models. */
export const ASR_SAMPLE_RATE = 16_000

/** The maximum length: half a gigabyte of samples. */
const MAX_SECONDS = 4 * 3600
/** Real recordings are well within these limits. */
const MIN_RATE = 1000
const MAX_RATE = 768_000

export interface DecodeOptions {
  /** Resamples to {@link ASR_SAMPLE_RATE}. */
  readonly makeResampler: (fromRate: number) => Resampler
  /** Awaited after every few seconds of audio. An error it throws aborts the decoding. */
  readonly pause: () => Promise<void>
  /** Called with what is wrong with a file that can be read nevertheless. */
  readonly warn: (message: string) => void
  /** In seconds; default: four hours. */
  readonly maxSeconds?: number
}

/**
 * Decodes a file of any supported format to mono at {@link ASR_SAMPLE_RATE}.
 * @throws InvalidRequest if the file is damaged, too long or not audio; Unsupported if it needs ffmpeg, which
 * is not installed
 */
export async function decodeAudio(path: string, options: DecodeOptions): Promise<Recording> {
  const { maxSeconds = MAX_SECONDS } = options
  using file = new AudioFile(path)
  if (file.size === 0) throw brokenAudio("it is empty")
  const recording = new Recording(ASR_SAMPLE_RATE)
  const line = new RateLine(options.makeResampler)
  for await (const pcm of chooseDecoder(file, maxSeconds + 1, options.warn)) {
    for (const samples of line.push(pcm)) recording.push(samples)
    if (recording.seconds > maxSeconds)
      throw brokenAudio(`it is longer than the limit of ${inWords(maxSeconds)}; cut it into parts`)
    await options.pause()
  }
  recording.push(line.end())
  if (recording.length === 0) throw brokenAudio("it has no audio")
  return recording
}

/** Selects the decoder from the file's content. */
async function* chooseDecoder(
  file: AudioFile,
  maxSeconds: number,
  warn: (message: string) => void,
): AsyncGenerator<Pcm> {
  const container = identifyContainer(file)
  if (container === undefined) return yield* decodeUnknown(file, maxSeconds)
  switch (container) {
    case "wav":
      return yield* isCompressedWav(file)
        ? decodeWithFfmpeg(file, container, "WAV with this codec", maxSeconds)
        : decodeWav(file, warn)
    case "mp3":
      return yield* decodeMpeg(file)
    case "flac":
      return yield* decodeFlac(file)
    case "ogg":
      return yield* oggCodec(file) === undefined
        ? decodeWithFfmpeg(file, container, "Ogg with this codec", maxSeconds)
        : decodeOgg(file)
    case "matroska": {
      const track = audioTrack(file)
      return yield* track.codec === "A_OPUS" && !track.isEncoded
        ? decodeOpusTrack(file, track)
        : decodeWithFfmpeg(file, container, `WebM with ${track.codec}`, maxSeconds)
    }
    case "mov":
    case "aac":
    case "aiff":
    case "caf":
    case "amr":
    case "asf":
      return yield* decodeWithFfmpeg(file, container, NAMES[container], maxSeconds)
    default:
      container satisfies never
  }
}

const NAMES = {
  mov: "MP4 (m4a)",
  aac: "AAC",
  aiff: "AIFF",
  caf: "CAF",
  amr: "AMR",
  asf: "WMA",
} as const satisfies Partial<Record<Container, string>>

/** Resamples a stream; concatenated streams may change their rate. */
class RateLine {
  readonly #makeResampler: (fromRate: number) => Resampler
  #rate = ASR_SAMPLE_RATE
  #resampler: Resampler | undefined

  constructor(makeResampler: (fromRate: number) => Resampler) {
    this.#makeResampler = makeResampler
  }

  *push(pcm: Pcm): Generator<Float32Array> {
    if (pcm.sampleRate !== this.#rate) {
      yield this.end()
      this.#change(pcm.sampleRate)
    }
    const samples = mixDown(pcm)
    yield this.#resampler?.push(samples) ?? samples
  }

  end(): Float32Array {
    const rest = this.#resampler?.end() ?? new Float32Array()
    this.#resampler = undefined
    return rest
  }

  #change(rate: number): void {
    if (!(rate >= MIN_RATE && rate <= MAX_RATE))
      throw brokenAudio(`its header declares a sample rate of ${rate} Hz`)
    this.#rate = rate
    this.#resampler = rate === ASR_SAMPLE_RATE ? undefined : this.#makeResampler(rate)
  }
}

function inWords(seconds: number): string {
  return seconds >= 3600 ? `${seconds / 3600} hours` : `${seconds} seconds`
}
