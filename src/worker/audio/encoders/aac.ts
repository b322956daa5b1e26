import aacModule from "aac-encoder-wasm"
import { InternalError } from "../../../errors/base"
import type { AudioCodec, AudioEncoder, EmscriptenHeap } from "./encoder"
import { bytesOf, Framer } from "./samples"

/** bit/s, mono. */
const BITRATE = 64_000
const HEADER_BYTES = 7
/** MPEG-4's sampling frequency indices. */
const RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350]
/** The audio object type AAC LC minus one, as stored in ADTS. */
const LOW_COMPLEXITY = 1

/** The functions of the module in use; a context is a pointer. */
interface AacModule extends EmscriptenHeap {
  _init_encoder(channels: number, sampleRate: number, bitrate: number): number
  /** Samples per frame. */
  _get_encoder_frame_size(context: number): number
  /** A buffer for `bytes` of 32-bit floats. 0: out of memory. */
  _get_encode_input_ptr(context: number, bytes: number): number
  /** Negative on failure. */
  _send_frame(context: number, timestamp: bigint): number
  /** The size of the next packet; 0 or less if none is ready. */
  _receive_packet(context: number): number
  _get_encoded_data(context: number): number
  _flush_encoder_start(context: number): void
  _close_encoder(context: number): void
}

/** A module that has finished a file: reusing it is faster, since its code is already compiled. */
let idle: AacModule | undefined

/**
 * AAC LC in ADTS frames, by FFmpeg's encoder. Decoded audio is about 90 ms longer: the encoder's delay and
 * padding.
 */
export const aac: AudioCodec = {
  rates: RATES.toReversed(),
  async create(sampleRate) {
    const reused = idle
    idle = undefined
    const module = reused ?? (await (aacModule.default ?? aacModule)())
    return new AacEncoder(module as AacModule, sampleRate) // typed after the declarations above
  },
}

class AacEncoder implements AudioEncoder {
  readonly mime = "audio/aac"
  readonly sampleRate: number
  readonly #module: AacModule
  readonly #context: number
  readonly #framer: Framer
  readonly #frameLength: number
  #timestamp = 0

  constructor(module: AacModule, sampleRate: number) {
    this.#module = module
    this.sampleRate = sampleRate
    this.#context = module._init_encoder(1, sampleRate, BITRATE)
    if (this.#context === 0) throw new InternalError(`AAC cannot be encoded at ${sampleRate} Hz`)
    this.#frameLength = module._get_encoder_frame_size(this.#context)
    this.#framer = new Framer(this.#frameLength)
  }

  push(samples: Float32Array): Uint8Array {
    return Buffer.concat([...this.#framer.push(samples)].flatMap((frame) => this.#encode(frame)))
  }

  end(): Uint8Array {
    const last = this.#framer.end()
    const packets = last === undefined ? [] : this.#encode(last)
    this.#module._flush_encoder_start(this.#context)
    const rest = Buffer.concat([...packets, ...this.#receive()])
    this.#module._close_encoder(this.#context)
    idle = this.#module
    return rest
  }

  #encode(frame: Float32Array): Uint8Array[] {
    const pointer = this.#module._get_encode_input_ptr(this.#context, frame.byteLength)
    if (pointer === 0) throw new InternalError("the AAC encoder has no memory left")
    this.#module.HEAPU8.set(bytesOf(frame), pointer)
    if (this.#module._send_frame(this.#context, BigInt(this.#timestamp)) < 0)
      throw new InternalError("the AAC encoder failed")
    this.#timestamp += this.#frameLength
    return this.#receive()
  }

  #receive(): Uint8Array[] {
    const parts: Uint8Array[] = []
    for (;;) {
      const size = this.#module._receive_packet(this.#context)
      if (size <= 0) return parts
      const pointer = this.#module._get_encoded_data(this.#context)
      parts.push(adtsHeader(this.sampleRate, size), this.#module.HEAPU8.slice(pointer, pointer + size))
    }
  }
}

/** The fixed and variable header of one ADTS frame without CRC, ISO/IEC 14496-3 1.A.2.2. */
function adtsHeader(sampleRate: number, packetBytes: number): Uint8Array {
  const length = packetBytes + HEADER_BYTES
  const channels = 1
  return Uint8Array.of(
    0xff,
    0xf1,
    (LOW_COMPLEXITY << 6) | (RATES.indexOf(sampleRate) << 2) | (channels >> 2),
    ((channels & 3) << 6) | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f, // buffer fullness: all ones, for a variable bit rate
    0xfc,
  )
}
