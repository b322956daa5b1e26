import { type AudioFile, brokenAudio } from "./audio-file"
import type { Pcm } from "./pcm"

/** Format tags of uncompressed WAVE files (mmreg.h). */
const PCM = 1
const FLOAT = 3
const A_LAW = 6
const MU_LAW = 7
/** The actual tag is in the first bytes of the sub-format's GUID. */
const EXTENSIBLE = 0xfffe

const MAX_CHANNELS = 64
/** Sizes that stand for an unknown length: of streams, and of ffmpeg's, sox's and Windows' recorders. */
const UNKNOWN_SIZES: readonly number[] = [
  0,
  0xffffffff,
  0xffffffff - 36,
  0x80000000,
  0x80000000 - 36,
  0x7fffffff,
  0x7fffffff - 36,
  0x7ffff000,
  0x7ffff000 - 36,
]
/** The size in a chunk's header where the real one is in the 'ds64' chunk (EBU 3306). */
const SIZE_IS_LONG = 0xffffffff
/** Maximum number of chunks before the data; real files have a handful. */
const MAX_CHUNKS = 1000

/** Layout of the samples in a WAVE file. */
interface WavLayout extends WavFormat {
  readonly dataStart: number
  readonly dataEnd: number
  /** What is wrong with the header, although the samples can be read. */
  readonly warning: string | undefined
}

interface WavFormat {
  readonly tag: number
  readonly channels: number
  readonly sampleRate: number
  readonly bits: number
  /** Of one sample, with padding. */
  readonly bytesPerSample: number
}

/** Is the audio compressed, for example ADPCM? */
export function isCompressedWav(file: AudioFile): boolean {
  return ![PCM, FLOAT, A_LAW, MU_LAW].includes(readLayout(file).tag)
}

/**
 * Integer samples of 8 to 32 bits, floats of 32 and 64, A-law and µ-law. A header that is wrong about the length is not
 * believed: the samples are read as far as there are any, with a warning.
 */
export async function* decodeWav(file: AudioFile, warn: (message: string) => void): AsyncGenerator<Pcm> {
  const { tag, bits, channels, sampleRate, bytesPerSample, dataStart, dataEnd, warning } = readLayout(file)
  const readSample = readerOf(tag, bytesPerSample)
  if (readSample === undefined) throw brokenAudio(`its WAV header says ${bits} bits of the format ${tag}`)
  if (warning !== undefined) warn(warning)
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
  let format: WavFormat | undefined
  let longSize: number | undefined
  let position = 12
  for (let i = 0; i < MAX_CHUNKS; i++) {
    const header = file.read(position, 8)
    if (header.length < 8) break
    const name = header.toString("latin1", 0, 4)
    const size = header.readUInt32LE(4)
    position += 8
    if (name === "fmt ") format = readFormat(file.read(position, Math.min(size, 40)))
    if (name === "ds64") longSize = readLongSize(file.read(position, 16))
    if (name === "data") {
      if (format === undefined) throw brokenAudio("its WAV header has no 'fmt ' chunk before the data")
      const dataSize = size === SIZE_IS_LONG ? (longSize ?? size) : size
      return { ...format, ...extentOf(file, position, dataSize) }
    }
    position = nextChunk(file, position + size)
  }
  throw brokenAudio("its WAV header has no 'data' chunk")
}

/** Where the samples lie, if the header declares `size` bytes of them from `start` on. */
function extentOf(
  file: AudioFile,
  start: number,
  size: number,
): Pick<WavLayout, "dataStart" | "dataEnd" | "warning"> {
  const rest = file.size - start
  const end = start + size
  const isFollowedByChunk = size <= rest && beginsChunk(file, nextChunk(file, end))
  // Something short behind the samples is a tag or padding. More than there are samples: the header was never finished.
  if (isFollowedByChunk || (size <= rest && rest <= 2 * size))
    return { dataStart: start, dataEnd: end, warning: undefined }
  const declared = UNKNOWN_SIZES.includes(size)
    ? "does not say how long the recording is, as when it comes from a pipe"
    : `declares ${size} bytes of sound, but there are ${rest}`
  return {
    dataStart: start,
    dataEnd: file.size,
    warning: `the WAV header ${declared}; it was read to the end of the file`,
  }
}

/** Chunks are aligned to even offsets, but some programs forget it. */
function nextChunk(file: AudioFile, end: number): number {
  if (end % 2 === 0) return end
  return beginsChunk(file, end) && !beginsChunk(file, end + 1) ? end : end + 1
}

/** Is there a chunk with a name of printable characters, which ends within the file? */
function beginsChunk(file: AudioFile, position: number): boolean {
  const header = file.read(position, 8)
  if (header.length < 8 || !/^[ -~]{4}/.test(header.toString("latin1"))) return false
  return position + 8 + header.readUInt32LE(4) <= file.size
}

/** The size of the data in a 'ds64' chunk, which is behind that of the file. */
function readLongSize(chunk: Buffer): number | undefined {
  return chunk.length < 16 ? undefined : Number(chunk.readBigUInt64LE(8))
}

function readFormat(chunk: Buffer): WavFormat {
  if (chunk.length < 16) throw brokenAudio("its WAV header's 'fmt ' chunk is too short")
  const outerTag = chunk.readUInt16LE(0)
  const tag = outerTag === EXTENSIBLE && chunk.length >= 26 ? chunk.readUInt16LE(24) : outerTag
  const channels = chunk.readUInt16LE(2)
  const sampleRate = chunk.readUInt32LE(4)
  const frameBytes = chunk.readUInt16LE(12)
  const bits = chunk.readUInt16LE(14)
  if (channels < 1 || channels > MAX_CHANNELS) throw brokenAudio(`its WAV header says ${channels} channels`)
  // Samples may be padded: 20 bits to three bytes, 24 to four. They are aligned to the top.
  const bytesPerSample = frameBytes / channels
  const isPlausible = Number.isInteger(bytesPerSample) && bytesPerSample * 8 >= bits && bytesPerSample <= 8
  return {
    tag,
    channels,
    sampleRate,
    bits,
    bytesPerSample: isPlausible && bits > 0 ? bytesPerSample : Math.ceil(bits / 8),
  }
}

type SampleReader = (view: DataView, at: number) => number

function readerOf(tag: number, bytesPerSample: number): SampleReader | undefined {
  return READERS[`${tag}:${bytesPerSample * 8}`]
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
