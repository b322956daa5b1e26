import flacModule from "flac-encoder-wasm"
import { InternalError } from "../../../errors/base"
import type { AudioCodec, AudioEncoder, EmscriptenHeap } from "./encoder"
import { bytesOf, toInt16 } from "./samples"

const BITS = 16

/** The functions of the module in use; a context is a pointer, sizes and offsets are in bytes. */
interface FlacModule extends EmscriptenHeap {
  _init_encoder(channels: number, sampleRate: number, bits: number): number
  /** A buffer for `bytes` of 32-bit samples, with the value in the upper bits. 0: out of memory. */
  _get_encode_input_ptr(context: number, bytes: number): number
  /** Negative on failure. */
  _send_samples(context: number, count: number): number
  _finish_encoder(context: number): number
  _get_frame_count(context: number): number
  _get_frame_size(context: number, frame: number): number
  _get_output_data(context: number): number
  /** Available after the first samples. */
  _get_header_data(context: number): number
  _get_header_size(context: number): number
}

/** FLAC by libFLAC, without the total length in its header, which a stream cannot know. */
export const flac: AudioCodec = {
  async create(sampleRate) {
    const module = await (flacModule.default ?? flacModule)()
    return new FlacEncoder(module as FlacModule, sampleRate) // typed after the declarations above
  },
}

class FlacEncoder implements AudioEncoder {
  readonly mime = "audio/flac"
  readonly sampleRate: number
  readonly #module: FlacModule
  readonly #context: number
  #isBegun = false

  constructor(module: FlacModule, sampleRate: number) {
    this.#module = module
    this.sampleRate = sampleRate
    this.#context = module._init_encoder(1, sampleRate, BITS)
    if (this.#context === 0) throw new InternalError(`FLAC cannot be encoded at ${sampleRate} Hz`)
  }

  push(samples: Float32Array): Uint8Array {
    if (samples.length === 0) return new Uint8Array()
    const integers = Int32Array.from(toInt16(samples), (sample) => sample << (32 - BITS))
    const pointer = this.#module._get_encode_input_ptr(this.#context, integers.byteLength)
    if (pointer === 0) throw new InternalError("the FLAC encoder has no memory left")
    this.#module.HEAPU8.set(bytesOf(integers), pointer)
    if (this.#module._send_samples(this.#context, integers.length) < 0)
      throw new InternalError("the FLAC encoder failed")
    return this.#take()
  }

  end(): Uint8Array {
    if (this.#module._finish_encoder(this.#context) < 0) throw new InternalError("the FLAC encoder failed")
    return this.#take()
  }

  /** The finished frames, preceded by the header if it has not been returned yet. */
  #take(): Uint8Array {
    const count = this.#module._get_frame_count(this.#context)
    let size = 0
    for (let frame = 0; frame < count; frame++) size += this.#module._get_frame_size(this.#context, frame)
    const frames = this.#copy(this.#module._get_output_data(this.#context), size)
    if (this.#isBegun) return frames
    this.#isBegun = true
    const header = this.#copy(
      this.#module._get_header_data(this.#context),
      this.#module._get_header_size(this.#context),
    )
    return Buffer.concat([header, frames])
  }

  #copy(pointer: number, size: number): Uint8Array {
    return this.#module.HEAPU8.slice(pointer, pointer + size)
  }
}
