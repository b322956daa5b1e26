import type { AudioCodec, AudioEncoder } from "./encoder"
import { bytesOf, toInt16 } from "./samples"

const HEADER_BYTES = 44
const BYTES_PER_SAMPLE = 2
/** Size that means "until the end": the length of a stream is unknown when its header is sent. */
const UNKNOWN = 0xffffffff
/** WAVE_FORMAT_PCM */
const PCM = 1

/** RIFF WAVE with 16-bit samples. */
export const wav: AudioCodec = { create: (sampleRate) => Promise.resolve(new WavEncoder(sampleRate)) }

class WavEncoder implements AudioEncoder {
  readonly mime = "audio/wav"
  readonly sampleRate: number
  #isBegun = false

  constructor(sampleRate: number) {
    this.sampleRate = sampleRate
  }

  push(samples: Float32Array): Uint8Array {
    return Buffer.concat([this.#begin(), bytesOf(toInt16(samples))])
  }

  end(): Uint8Array {
    return this.#begin()
  }

  #begin(): Uint8Array {
    if (this.#isBegun) return new Uint8Array()
    this.#isBegun = true
    return header(this.sampleRate)
  }
}

function header(sampleRate: number): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.write("RIFF", 0)
  bytes.writeUInt32LE(UNKNOWN, 4)
  bytes.write("WAVEfmt ", 8)
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(PCM, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.writeUInt32LE(sampleRate, 24)
  bytes.writeUInt32LE(sampleRate * BYTES_PER_SAMPLE, 28)
  bytes.writeUInt16LE(BYTES_PER_SAMPLE, 32)
  bytes.writeUInt16LE(8 * BYTES_PER_SAMPLE, 34)
  bytes.write("data", 36)
  bytes.writeUInt32LE(UNKNOWN, 40)
  return bytes
}
