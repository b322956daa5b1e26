import * as wasmVorbis from "@wasm-audio-decoders/ogg-vorbis"
import * as wasmOpus from "ogg-opus-decoder"
import { type AudioFile, brokenAudio, cutShort } from "./audio-file"
import { decodeFlacParts } from "./flac"
import type { Pcm } from "./pcm"
import { decodeParts, member } from "./wasm-decoder"

/** Bytes before a page's segment table (RFC 3533, 6). */
const PAGE_HEADER_BYTES = 27

/** The start of the first packet of each codec. */
const CODECS = [
  ["vorbis", "\x01vorbis"],
  ["opus", "OpusHead"],
  ["flac", "\x7fFLAC"],
] as const

export type OggCodec = (typeof CODECS)[number][0]

/** The codec of the first stream; undefined if unsupported, such as Speex. */
export function oggCodec(file: AudioFile): OggCodec | undefined {
  const header = file.read(0, PAGE_HEADER_BYTES)
  const packet = file.read(PAGE_HEADER_BYTES + (header[26] ?? 0), 8).toString("latin1")
  return CODECS.find(([, magic]) => packet.startsWith(magic))?.[0]
}

/** Vorbis, Opus or FLAC in Ogg. */
export async function* decodeOgg(file: AudioFile): AsyncGenerator<Pcm> {
  checkPages(file)
  const codec = oggCodec(file)
  switch (codec) {
    case "vorbis": {
      const OggVorbisDecoder = member(wasmVorbis, "OggVorbisDecoder")
      return yield* decodeParts("Vorbis", new OggVorbisDecoder(), file.parts())
    }
    case "opus": {
      const OggOpusDecoder = member(wasmOpus, "OggOpusDecoder")
      return yield* decodeParts("Opus", new OggOpusDecoder(), file.parts())
    }
    case "flac":
      return yield* decodeFlacParts(file.parts())
    case undefined:
      throw brokenAudio("its Ogg stream is none of Vorbis, Opus and FLAC")
    default:
      codec satisfies never
  }
}

/** The decoders silently drop an incomplete last page. */
function checkPages(file: AudioFile): void {
  let position = 0
  while (position < file.size) {
    const header = file.read(position, PAGE_HEADER_BYTES + 255)
    if (header.toString("latin1", 0, 4) !== "OggS") {
      if (position === 0) throw brokenAudio("it does not begin with an Ogg page")
      throw brokenAudio(`at byte ${position} the next Ogg page is missing`)
    }
    const segments = header[26] ?? 0
    const body = header.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + segments)
    const end = position + PAGE_HEADER_BYTES + segments + body.reduce((sum, length) => sum + length, 0)
    if (header.length < PAGE_HEADER_BYTES || end > file.size)
      throw cutShort(`an Ogg page that ends at byte ${end}`, `are only ${file.size}`)
    position = end
  }
}
