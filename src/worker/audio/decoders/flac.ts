import * as wasmFlac from "@wasm-audio-decoders/flac"
import { type AudioFile, brokenAudio, cutShort } from "./audio-file"
import { skipId3 } from "./container"
import type { Pcm } from "./pcm"
import { decodeParts, member } from "./wasm-decoder"

/** Length of the marker and of the first metadata block's header; that block is STREAMINFO. */
const STREAM_INFO_OFFSET = 8
const STREAM_INFO_BYTES = 34

/** FLAC in its native container. */
export async function* decodeFlac(file: AudioFile): AsyncGenerator<Pcm> {
  const start = skipId3(file)
  const promised = totalSamples(file.read(start + STREAM_INFO_OFFSET, STREAM_INFO_BYTES))
  let samples = 0
  for await (const pcm of decodeFlacParts(file.parts(start))) {
    samples += pcm.channels[0]?.length ?? 0
    yield pcm
  }
  if (samples < promised) throw cutShort(`${promised} samples`, `are only ${samples}`)
}

/** FLAC in its native container or in Ogg, according to the first bytes. */
export function decodeFlacParts(parts: Iterable<Uint8Array>): AsyncGenerator<Pcm> {
  const FLACDecoder = member(wasmFlac, "FLACDecoder")
  return decodeParts("FLAC", new FLACDecoder(), parts)
}

/** 36 bits at bit 108 of STREAMINFO (RFC 9639, 8.2); 0 if unknown to the encoder. */
function totalSamples(streamInfo: Buffer): number {
  if (streamInfo.length < STREAM_INFO_BYTES) throw brokenAudio("its FLAC header is incomplete")
  return (streamInfo.readUInt8(13) & 15) * 2 ** 32 + streamInfo.readUInt32BE(14)
}
