import * as mpg123 from "mpg123-decoder"
import { type AudioFile, brokenAudio, cutShort } from "./audio-file"
import { findMpegFrame, skipId3 } from "./container"
import { type MpegHeader, mpegHeader, samplesPerFrame } from "./mpeg-header"
import type { Pcm } from "./pcm"
import { decodeParts, member } from "./wasm-decoder"

/** Enough to find the first frame after other data. */
const HEAD_BYTES = 64 * 1024
/**
 * Tolerated shortfall against the length in the header, as a share and in frames: encoders count their own
 * padding.
 */
const TOLERATED_LOSS = 0.02
const TOLERATED_FRAMES = 4

/** MPEG audio, layers 1 to 3. */
export async function* decodeMpeg(file: AudioFile): AsyncGenerator<Pcm> {
  const MPEGDecoder = member(mpg123, "MPEGDecoder")
  const promised = promisedSamples(file)
  let samples = 0
  for await (const pcm of decodeParts("MPEG audio", new MPEGDecoder(), file.parts(skipId3(file)))) {
    samples += pcm.channels[0]?.length ?? 0
    yield pcm
  }
  if (promised !== undefined && samples < promised.least)
    throw cutShort(inSeconds(promised.samples, promised), `are only ${inSeconds(samples, promised)}`)
}

function inSeconds(samples: number, { sampleRate }: { readonly sampleRate: number }): string {
  return `${(samples / sampleRate).toFixed(1)} s`
}

interface Promised {
  readonly samples: number
  /** After subtracting the tolerated loss. */
  readonly least: number
  readonly sampleRate: number
}

/** The length according to the tag in the first frame, if there is one. */
function promisedSamples(file: AudioFile): Promised | undefined {
  const start = skipId3(file)
  const head = file.read(start, HEAD_BYTES)
  const at = findMpegFrame(head, start + head.length === file.size)
  if (at === undefined) throw brokenAudio("it has no MPEG audio frame")
  const header = mpegHeader(head, at)
  if (header === undefined) return undefined
  const frames = framesInTag(head.subarray(at + 4 + sideInfoBytes(header)))
  if (frames === undefined) return undefined
  const frameSamples = samplesPerFrame(header)
  return {
    samples: frames * frameSamples,
    least: (frames * (1 - TOLERATED_LOSS) - TOLERATED_FRAMES) * frameSamples,
    sampleRate: header.sampleRate,
  }
}

/** Bytes between a frame's header and its main data (ISO 11172-3, 2.4.1.7). */
function sideInfoBytes({ version, mono }: MpegHeader): number {
  if (version === 1) return mono ? 17 : 32
  return mono ? 9 : 17
}

/** The tag is `Xing` or `Info`, flags (1: has the number of frames), and the number, big-endian. */
function framesInTag(bytes: Buffer): number | undefined {
  if (bytes.length < 12 || !["Xing", "Info"].includes(bytes.toString("latin1", 0, 4))) return undefined
  return (bytes.readUInt32BE(4) & 1) === 0 ? undefined : bytes.readUInt32BE(8)
}
