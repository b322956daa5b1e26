import type { AudioFile } from "./audio-file"
import { frameLength, mpegHeader, sameStream } from "./mpeg-header"

/**
 * The format according to a file's first bytes. Where ffmpeg is needed, the names are those of its demuxers.
 */
export type Container =
  "wav" | "mp3" | "flac" | "ogg" | "matroska" | "mov" | "aac" | "aiff" | "caf" | "amr" | "asf"

/** MP3 frames may be preceded by this much other data: remains of an edit, padding. */
const SEARCHED_BYTES = 16 * 1024
const ID3_HEADER_BYTES = 10

/** Bytes at a fixed offset that identify the format. */
const SIGNATURES: readonly (readonly [container: Container, offset: number, bytes: string])[] = [
  ["flac", 0, "fLaC"],
  ["ogg", 0, "OggS"],
  ["matroska", 0, "\x1a\x45\xdf\xa3"],
  ["mov", 4, "ftyp"],
  ["mov", 4, "moov"],
  ["mov", 4, "mdat"],
  ["mov", 4, "wide"],
  ["caf", 0, "caff"],
  ["amr", 0, "#!AMR"],
  ["asf", 0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"],
]

/** Detects the format from the content; file names and MIME types are unreliable. */
export function identifyContainer(file: AudioFile): Container | undefined {
  const start = skipId3(file)
  const head = file.read(start, SEARCHED_BYTES)
  const at = (offset: number, length: number): string => head.toString("latin1", offset, offset + length)
  if ((at(0, 4) === "RIFF" || at(0, 4) === "RF64") && at(8, 4) === "WAVE") return "wav"
  if (at(0, 4) === "FORM" && (at(8, 4) === "AIFF" || at(8, 4) === "AIFC")) return "aiff"
  const signature = SIGNATURES.find(([, offset, bytes]) => at(offset, bytes.length) === bytes)
  if (signature !== undefined) return signature[0]
  if (isAdts(head)) return "aac"
  return findMpegFrame(head, start + head.length === file.size) === undefined ? undefined : "mp3"
}

/** Offset of the audio data, after an ID3v2 tag if there is one. */
export function skipId3(file: AudioFile): number {
  let position = 0
  for (;;) {
    const header = file.read(position, ID3_HEADER_BYTES)
    if (header.length < ID3_HEADER_BYTES || header.toString("latin1", 0, 3) !== "ID3") return position
    const [a = 0, b = 0, c = 0, d = 0] = header.subarray(6)
    // Seven bits of each byte are used (ID3v2.4 §3.1).
    position += ID3_HEADER_BYTES + (a << 21) + (b << 14) + (c << 7) + d
  }
}

/**
 * Offset of the first MPEG audio frame, which must be followed directly by another. One is enough if `bytes`
 * end with the file and there is no room for a second.
 */
export function findMpegFrame(bytes: Uint8Array, isWhole: boolean): number | undefined {
  for (let i = 0; i + 4 <= bytes.length; i++) {
    const header = mpegHeader(bytes, i)
    if (header === undefined) continue
    const next = i + frameLength(header)
    const following = mpegHeader(bytes, next)
    if (following === undefined ? isWhole && i === 0 && next >= bytes.length : sameStream(header, following))
      return i
  }
  return undefined
}

/** AAC in ADTS frames: the sync word with layer 0, twice (ISO 13818-7, 6.2). */
function isAdts(bytes: Uint8Array): boolean {
  const isSync = (at: number): boolean => bytes[at] === 0xff && ((bytes[at + 1] ?? 0) & 0xf6) === 0xf0
  if (!isSync(0)) return false
  const length = (((bytes[3] ?? 0) & 3) << 11) | ((bytes[4] ?? 0) << 3) | ((bytes[5] ?? 0) >> 5)
  return length >= 7 && (isSync(length) || length >= bytes.length)
}
