import opusWasm from "@evan/opus/wasm/simd.wasm" with { type: "file" }
import { InternalError } from "../../../errors/base"
import type { AudioCodec, AudioEncoder } from "./encoder"
import { OggPages, pagesOf } from "./ogg-pages"
import { Framer, toInt16 } from "./samples"

/** bit/s, mono: transparent for speech. */
const BITRATE = 32_000
/** Packets per second: each has 20 ms. */
const PACKETS_PER_SECOND = 50
/** One page per second, so that little is lost if a stream is interrupted. */
const PACKETS_PER_PAGE = 50
/** Granule positions always use this rate, RFC 7845. */
const GRANULE_RATE = 48_000
const MOST_PACKET_BYTES = 4000

/** Constants of opus_defines.h. */
const APPLICATION_VOIP = 2048
const SET_BITRATE = 4002
const GET_LOOKAHEAD = 4027

/** The functions of libopus in use; pointers are numbers, negative results are errors. */
interface OpusModule {
  readonly memory: WebAssembly.Memory
  malloc(bytes: number): number
  opus_encoder_get_size(channels: number): number
  opus_encoder_init(state: number, sampleRate: number, channels: number, application: number): number
  opus_encoder_ctl_set(state: number, request: number, value: number): number
  opus_encoder_ctl_get(state: number, request: number): number
  opus_encode(state: number, input: number, samples: number, output: number, mostBytes: number): number
}

/** Opus in Ogg, by libopus. The granule positions give the exact number of samples. */
export const opus: AudioCodec = {
  rates: [8000, 12000, 16000, 24000, 48000],
  create: async (sampleRate) => new OpusEncoder(await instantiate(), sampleRate),
}

let compiled: Promise<WebAssembly.Module> | undefined

/** Each stream has its own module, so that its memory is freed with it. */
async function instantiate(): Promise<OpusModule> {
  compiled ??= Bun.file(opusWasm)
    .arrayBuffer()
    .then((bytes) => WebAssembly.compile(bytes))
  const nothing = () => 0
  const { exports } = await WebAssembly.instantiate(await compiled, {
    wasi_snapshot_preview1: { fd_seek: nothing, fd_write: nothing, fd_close: nothing, proc_exit: nothing },
    env: { emscripten_notify_memory_growth: nothing },
  })
  return exports as unknown as OpusModule // the file is embedded in this program
}

class OpusEncoder implements AudioEncoder {
  readonly mime = "audio/ogg"
  readonly sampleRate: number
  readonly #opus: OpusModule
  readonly #state: number
  readonly #input: number
  readonly #output: number
  readonly #frameLength: number
  readonly #framer: Framer
  /** Samples at the granule rate that the decoder discards at the start. */
  readonly #preSkip: number
  readonly #pages = new OggPages(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0)
  #isBegun = false
  #samples = 0
  #packets = 0

  constructor(opus: OpusModule, sampleRate: number) {
    this.#opus = opus
    this.sampleRate = sampleRate
    this.#state = opus.malloc(opus.opus_encoder_get_size(1))
    if (opus.opus_encoder_init(this.#state, sampleRate, 1, APPLICATION_VOIP) < 0)
      throw new InternalError(`Opus cannot be encoded at ${sampleRate} Hz`)
    opus.opus_encoder_ctl_set(this.#state, SET_BITRATE, BITRATE)
    this.#preSkip = opus.opus_encoder_ctl_get(this.#state, GET_LOOKAHEAD) * this.#granulesPerSample
    this.#frameLength = sampleRate / PACKETS_PER_SECOND
    this.#framer = new Framer(this.#frameLength)
    this.#input = opus.malloc(this.#frameLength * Int16Array.BYTES_PER_ELEMENT)
    this.#output = opus.malloc(MOST_PACKET_BYTES)
  }

  push(samples: Float32Array): Uint8Array {
    this.#samples += samples.length
    const packets = [...this.#framer.push(samples)].map((frame) => this.#encode(frame))
    return Buffer.concat([this.#begin(), ...this.#write(packets)])
  }

  /** Encodes enough silence to flush the last samples, and marks where they end. */
  end(): Uint8Array {
    const packets: Uint8Array[] = []
    const last = this.#framer.end()
    if (last !== undefined) packets.push(this.#encode(last))
    const end = this.#samples * this.#granulesPerSample + this.#preSkip
    const silence = new Float32Array(this.#frameLength)
    while (this.#granuleAfter(packets.length) < end || packets.length === 0)
      packets.push(this.#encode(silence))
    return Buffer.concat([this.#begin(), ...this.#write(packets, end)])
  }

  get #granulesPerSample(): number {
    return GRANULE_RATE / this.sampleRate
  }

  #granuleAfter(packets: number): number {
    return ((this.#packets + packets) * GRANULE_RATE) / PACKETS_PER_SECOND
  }

  #encode(frame: Float32Array): Uint8Array {
    // Views are created on each use: the memory may have grown.
    const { buffer } = this.#opus.memory
    new Int16Array(buffer, this.#input, this.#frameLength).set(toInt16(frame))
    const bytes = this.#opus.opus_encode(
      this.#state,
      this.#input,
      this.#frameLength,
      this.#output,
      MOST_PACKET_BYTES,
    )
    if (bytes < 0) throw new InternalError(`the Opus encoder failed with ${bytes}`)
    return new Uint8Array(this.#opus.memory.buffer, this.#output, bytes).slice()
  }

  /** `end`: the granule position at the end of the stream. */
  #write(packets: readonly Uint8Array[], end?: number): Uint8Array[] {
    const groups = [...pagesOf(packets, PACKETS_PER_PAGE)]
    return groups.map((group, index) => {
      const isLast = end !== undefined && index === groups.length - 1
      this.#packets += group.length
      return this.#pages.write({ packets: group, granule: isLast ? end : this.#granuleAfter(0), isLast })
    })
  }

  #begin(): Uint8Array {
    if (this.#isBegun) return new Uint8Array()
    this.#isBegun = true
    return Buffer.concat([
      this.#pages.write({
        packets: [identification(this.#preSkip, this.sampleRate)],
        granule: 0,
        isFirst: true,
      }),
      this.#pages.write({ packets: [comment()], granule: 0 }),
    ])
  }
}

/** The stream's first packet, RFC 7845 5.1: version 1, one channel, no gain, mapping family 0. */
function identification(preSkip: number, sampleRate: number): Uint8Array {
  const bytes = Buffer.alloc(19)
  bytes.write("OpusHead", 0)
  bytes[8] = 1
  bytes[9] = 1
  bytes.writeUInt16LE(preSkip, 10)
  bytes.writeUInt32LE(sampleRate, 12)
  return bytes
}

/** The second packet, RFC 7845 5.2: the vendor, and no comments. */
function comment(): Uint8Array {
  const vendor = "xLLM"
  const bytes = Buffer.alloc(8 + 4 + vendor.length + 4)
  bytes.write("OpusTags", 0)
  bytes.writeUInt32LE(vendor.length, 8)
  bytes.write(vendor, 12)
  return bytes
}
