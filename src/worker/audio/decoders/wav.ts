import { type AudioFile, brokenAudio, cutShort } from "./audio-file"
import type { Pcm } from "./pcm"

/** Format tags of uncompressed WAVE files (mmreg.h). */
const PCM = 1
const FLOAT = 3
const A_LAW = 6
const MU_LAW = 7
/** The actual tag is in the first bytes of the sub-format's GUID. */
const EXTENSIBLE = 0xfffe

const MAX_CHANNELS = 64
/** Sizes written when the length is unknown: by streams, ffmpeg's and Windows' recorders. */
const UNKNOWN_SIZES: readonly number[] = [0, 0xffffffff, 0x7fffffff, 0xffffffff - 36, 0x7ffff000]
/** Maximum number of chunks before the data; real files have a handful. */
const MAX_CHUNKS = 1000

/** Layout of the samples in a WAVE file. */
interface WavLayout {
  readonly tag: number
  readonly channels: number
  readonly sampleRate: number
  readonly bits: number
  readonly dataStart: number
  readonly dataEnd: number
}

/** Is the audio compressed, for example ADPCM? */
export function isCompressedWav(file: AudioFile): boolean {
  return ![PCM, FLOAT, A_LAW, MU_LAW].includes(readLayout(file).tag)
}

/** Integer samples of 8 to 32 bits, floats of 32 and 64, A-law and µ-law. */
export async function* decodeWav(file: AudioFile): AsyncGenerator<Pcm> {
  const { tag, channels, sampleRate, bits, dataStart, dataEnd } = readLayout(file)
  const readSample = sampleReader(tag, bits)
  const bytesPerSample = bits / 8
  const frameBytes = bytesPerSample * channels
  const partBytes = Math.max(1, Math.floor((64 * 1024) / frameBytes)) * frameBytes
  for (const part of file.parts(dataStart, dataEnd, partBytes)) {
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength)
    const frames = Math.floor(part.length / frameBytes)
    const planes = Array.from({ length: channels }, (_, channel) => {
      const plane = new Float32Array(frames)
      for (let i = 0; i < frames; i++) plane[i] = readSample(view, i * frameBytes + channel * bytesPerSample)
      return plane
    })
    yield { channels: planes, sampleRate }
  }
}

function readLayout(file: AudioFile): WavLayout {
  let format: Omit<WavLayout, "dataStart" | "dataEnd"> | undefined
  let position = 12
  for (let i = 0; i < MAX_CHUNKS; i++) {
    const header = file.read(position, 8)
    if (header.length < 8) break
    const name = header.toString("latin1", 0, 4)
    const size = header.readUInt32LE(4)
    position += 8
    if (name === "fmt ") format = readFormat(file.read(position, Math.min(size, 40)))
    if (name === "data") {
      if (format === undefined) throw brokenAudio("its WAV header has no 'fmt ' chunk before the data")
      return { ...format, dataStart: position, dataEnd: endOfData(file, position, size) }
    }
    // Chunks are aligned to even offsets.
    position += size + (size & 1)
  }
  throw brokenAudio("its WAV header has no 'data' chunk")
}

function endOfData(file: AudioFile, start: number, size: number): number {
  if (UNKNOWN_SIZES.includes(size)) return file.size
  if (start + size > file.size) throw cutShort(`${size} bytes of sound`, `are only ${file.size - start}`)
  return start + size
}

function readFormat(chunk: Buffer): Omit<WavLayout, "dataStart" | "dataEnd"> {
  if (chunk.length < 16) throw brokenAudio("its WAV header's 'fmt ' chunk is too short")
  const outerTag = chunk.readUInt16LE(0)
  const tag = outerTag === EXTENSIBLE && chunk.length >= 26 ? chunk.readUInt16LE(24) : outerTag
  const channels = chunk.readUInt16LE(2)
  const sampleRate = chunk.readUInt32LE(4)
  const bits = chunk.readUInt16LE(14)
  if (channels < 1 || channels > MAX_CHANNELS) throw brokenAudio(`its WAV header says ${channels} channels`)
  return { tag, channels, sampleRate, bits }
}

type SampleReader = (view: DataView, at: number) => number

function sampleReader(tag: number, bits: number): SampleReader {
  const reader = READERS[`${tag}:${bits}`]
  if (reader === undefined) throw brokenAudio(`its WAV header says ${bits} bits of the format ${tag}`)
  return reader
}

const READERS: Readonly<Record<string, SampleReader>> = {
  [`${PCM}:8`]: (view, at) => (view.getUint8(at) - 128) / 128,
  [`${PCM}:16`]: (view, at) => view.getInt16(at, true) / 2 ** 15,
  [`${PCM}:24`]: (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23,
  [`${PCM}:32`]: (view, at) => view.getInt32(at, true) / 2 ** 31,
  [`${FLOAT}:32`]: (view, at) => view.getFloat32(at, true),
  [`${FLOAT}:64`]: (view, at) => view.getFloat64(at, true),
  [`${A_LAW}:8`]: (view, at) => fromALaw(view.getUint8(at)),
  [`${MU_LAW}:8`]: (view, at) => fromMuLaw(view.getUint8(at)),
}

/** ITU-T G.711, table 1: a sign, three bits of exponent and four of mantissa, every second bit inverted. */
function fromALaw(code: number): number {
  const bits = code ^ 0x55
  const exponent = (bits >> 4) & 7
  const mantissa = bits & 15
  const magnitude = exponent === 0 ? mantissa * 2 + 1 : (mantissa * 2 + 33) << (exponent - 1)
  return ((bits & 0x80 ? 1 : -1) * magnitude) / 4096
}

/** ITU-T G.711, table 2: as A-law, with all bits inverted and a bias of 33. */
function fromMuLaw(code: number): number {
  const bits = ~code & 0xff
  const magnitude = (((bits & 15) * 2 + 33) << ((bits >> 4) & 7)) - 33
  return ((bits & 0x80 ? -1 : 1) * magnitude) / 8192
}
