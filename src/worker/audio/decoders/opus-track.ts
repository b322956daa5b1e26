import * as wasmOpus from "opus-decoder"
import { type AudioFile, brokenAudio } from "./audio-file"
import { type AudioTrack, trackPackets } from "./matroska"
import type { Pcm } from "./pcm"
import { member } from "./wasm-decoder"

/** Packets decoded at once, usually of 20 ms each. */
const PACKETS_AT_ONCE = 64
/** Maximum length of a packet (RFC 6716, 3.4). */
const MAX_PACKET_BYTES = 1276 * 255

/** Opus in Matroska or WebM, as recorded by browsers. */
export async function* decodeOpusTrack(file: AudioFile, track: AudioTrack): AsyncGenerator<Pcm> {
  const OpusDecoder = member(wasmOpus, "OpusDecoder")
  const decoder = new OpusDecoder(readOpusHead(track.header))
  await decoder.ready
  try {
    for (const packets of batches(trackPackets(file, track))) {
      const { channelData, samplesDecoded, sampleRate, errors } = decoder.decodeFrames(packets)
      if (errors.length === packets.length)
        throw brokenAudio(`its Opus packets are damaged (${errors[0]?.message ?? "unknown error"})`)
      if (samplesDecoded > 0) yield { channels: channelData, sampleRate }
    }
  } finally {
    decoder.free()
  }
}

function* batches(packets: Iterable<Uint8Array>): Generator<Uint8Array[]> {
  let batch: Uint8Array[] = []
  for (const packet of packets) {
    if (packet.length > MAX_PACKET_BYTES) throw brokenAudio(`it has an Opus packet of ${packet.length} bytes`)
    batch.push(packet)
    if (batch.length < PACKETS_AT_ONCE) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

interface OpusHead {
  readonly channels: number
  readonly preSkip: number
  readonly streamCount: number
  readonly coupledStreamCount: number
  readonly channelMappingTable: number[]
}

/** The identification header (RFC 7845, 5.1). */
function readOpusHead(head: Buffer): OpusHead {
  if (head.length < 19 || head.toString("latin1", 0, 8) !== "OpusHead")
    throw brokenAudio("its Opus track has no header")
  const channels = head.readUInt8(9)
  const preSkip = head.readUInt16LE(10)
  const isStereoAtMost = head.readUInt8(18) === 0
  if (channels < 1 || (isStereoAtMost ? channels > 2 : head.length < 21 + channels))
    throw brokenAudio(`the header of its Opus track says ${channels} channels`)
  if (isStereoAtMost) {
    const channelMappingTable = channels === 1 ? [0] : [0, 1]
    return { channels, preSkip, streamCount: 1, coupledStreamCount: channels - 1, channelMappingTable }
  }
  const streamCount = head.readUInt8(19)
  const coupledStreamCount = head.readUInt8(20)
  const channelMappingTable = [...head.subarray(21, 21 + channels)]
  // 255 is silence; any other number must be a channel of the streams.
  const isWithin = channelMappingTable.every(
    (index) => index === 255 || index < streamCount + coupledStreamCount,
  )
  if (streamCount < 1 || coupledStreamCount > streamCount || !isWithin)
    throw brokenAudio("the header of its Opus track maps channels that do not exist")
  return { channels, preSkip, streamCount, coupledStreamCount, channelMappingTable }
}
