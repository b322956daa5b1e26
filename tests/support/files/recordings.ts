import { writeFileSync } from "node:fs"
import { frequencyOf, SAMPLES_PER_CHARACTER, TONE_SAMPLE_RATE } from "./tiny-tts-model"

const LOUDNESS = 0.4

/** The output of a tiny voice: a tone for each character, silence for those without one. */
export function toneSamples(text: string): Float32Array {
  const samples = new Float32Array(text.length * SAMPLES_PER_CHARACTER)
  const sounding = SAMPLES_PER_CHARACTER / 2
  Array.from(text).forEach((character, index) => {
    const radians = (2 * Math.PI * frequencyOf(character)) / TONE_SAMPLE_RATE
    for (let i = 0; i < sounding; i++)
      samples[index * SAMPLES_PER_CHARACTER + i] =
        LOUDNESS * Math.sin(radians * i) * Math.sin((Math.PI * i) / sounding)
  })
  return samples
}

/** How a WAVE file stores samples: bytes per sample, the format's tag, and a function that writes one. */
export const SAMPLE_FORMATS = {
  "8-bit": { tag: 1, bytes: 1, write: (at, sample) => at.writeUInt8(Math.round(sample * 127) + 128) },
  "16-bit": { tag: 1, bytes: 2, write: (at, sample) => at.writeInt16LE(Math.round(sample * 32767)) },
  "24-bit": { tag: 1, bytes: 3, write: (at, sample) => at.writeIntLE(Math.round(sample * 8388607), 0, 3) },
  "32-bit": { tag: 1, bytes: 4, write: (at, sample) => at.writeInt32LE(Math.round(sample * 2147483647)) },
  float: { tag: 3, bytes: 4, write: (at, sample) => at.writeFloatLE(sample) },
  double: { tag: 3, bytes: 8, write: (at, sample) => at.writeDoubleLE(sample) },
} as const satisfies Record<
  string,
  { tag: number; bytes: number; write: (at: Buffer, sample: number) => number }
>

export interface WavOptions {
  readonly sampleRate?: number
  readonly channels?: number
  readonly format?: keyof typeof SAMPLE_FORMATS
  /** Replaces the size of the samples in the header. */
  readonly dataSize?: number
}

/** A WAVE file with the same samples in every channel. */
export function encodeWav(samples: Float32Array, options: WavOptions = {}): Buffer {
  const { sampleRate = TONE_SAMPLE_RATE, channels = 1, format = "16-bit" } = options
  const { tag, bytes, write } = SAMPLE_FORMATS[format]
  const data = Buffer.alloc(samples.length * channels * bytes)
  samples.forEach((sample, i) => {
    for (let channel = 0; channel < channels; channel++)
      write(data.subarray((i * channels + channel) * bytes), sample)
  })
  const header = Buffer.alloc(44)
  header.write("RIFF", 0)
  header.writeUInt32LE(36 + data.length, 4)
  header.write("WAVEfmt ", 8)
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(tag, 20)
  header.writeUInt16LE(channels, 22)
  header.writeUInt32LE(sampleRate, 24)
  header.writeUInt32LE((sampleRate * channels * bytes) % 2 ** 32, 28)
  header.writeUInt16LE(channels * bytes, 32)
  header.writeUInt16LE(bytes * 8, 34)
  header.write("data", 36)
  header.writeUInt32LE(options.dataSize ?? data.length, 40)
  return Buffer.concat([header, data])
}

/** Writes a tiny voice's output to a file. */
export function writeTones(path: string, text: string): string {
  writeFileSync(path, encodeWav(toneSamples(text)))
  return path
}
