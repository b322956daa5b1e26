import type { AudioFormat } from "../../../domain/media/speech"
import { InvalidRequest } from "../../../errors/request"
import { aac } from "./aac"
import type { AudioCodec, AudioEncoder } from "./encoder"
import { flac } from "./flac"
import { mp3 } from "./mp3"
import { opus } from "./opus"
import { pcm } from "./pcm"
import { wav } from "./wav"

const CODECS: Readonly<Record<AudioFormat, AudioCodec>> = { aac, flac, mp3, opus, pcm, wav }

/** Converts a stream of samples to another rate, in parts. */
export interface Resampler {
  push(samples: Float32Array): Float32Array
  /** The remaining samples, after the last input. */
  end(): Float32Array
}

/**
 * The sample rate of a file in `format`: the requested one, otherwise `sampleRate` or, if the format does not support
 * that, the next higher supported rate, or the highest.
 * @throws InvalidRequest (`sample_rate`) if the format does not support the requested one
 */
export function chooseRate(format: AudioFormat, sampleRate: number, requested: number | undefined): number {
  const { rates } = CODECS[format]
  if (rates === undefined) return requested ?? sampleRate
  if (requested === undefined) return rates.find((rate) => rate >= sampleRate) ?? rates.at(-1) ?? sampleRate
  if (rates.includes(requested)) return requested
  throw new InvalidRequest(
    `sample_rate must be one of ${rates.join(", ")} for ${format}, got ${requested}`,
    "sample_rate",
  )
}

/** Creates an encoder for samples at `sampleRate`; if the file is to have another, `resampler` converts to that. */
export async function createEncoder(
  format: AudioFormat,
  sampleRate: number,
  resampler: (from: number, to: number) => Resampler,
  rate = chooseRate(format, sampleRate, undefined),
): Promise<AudioEncoder> {
  const encoder = await CODECS[format].create(rate)
  return rate === sampleRate ? encoder : resampled(encoder, resampler(sampleRate, rate))
}

function resampled(encoder: AudioEncoder, resampler: Resampler): AudioEncoder {
  return {
    mime: encoder.mime,
    sampleRate: encoder.sampleRate,
    push: (samples) => encoder.push(resampler.push(samples)),
    end: () => Buffer.concat([encoder.push(resampler.end()), encoder.end()]),
  }
}
