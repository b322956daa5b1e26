import type { AudioFormat } from "../../../domain/speech"
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
 * Creates an encoder of `format` for samples at `sampleRate`. If the format does not support that rate,
 * `resampler` converts to the next higher supported rate, or to the highest.
 */
export async function createEncoder(
  format: AudioFormat,
  sampleRate: number,
  resampler: (from: number, to: number) => Resampler,
): Promise<AudioEncoder> {
  const codec = CODECS[format]
  const rate = nextRate(codec.rates, sampleRate)
  const encoder = await codec.create(rate)
  return rate === sampleRate ? encoder : resampled(encoder, resampler(sampleRate, rate))
}

function nextRate(rates: readonly number[] | undefined, sampleRate: number): number {
  if (rates === undefined) return sampleRate
  return rates.find((rate) => rate >= sampleRate) ?? rates.at(-1) ?? sampleRate
}

function resampled(encoder: AudioEncoder, resampler: Resampler): AudioEncoder {
  return {
    mime: encoder.mime,
    sampleRate: encoder.sampleRate,
    push: (samples) => encoder.push(resampler.push(samples)),
    end: () => Buffer.concat([encoder.push(resampler.end()), encoder.end()]),
  }
}
