import { type AudioFile, brokenAudio, cutShort } from "./audio-file"

/** Matroska elements (RFC 9559, 5) needed to find the audio. */
const IDS = {
  segment: 0x18538067,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackType: 0x83,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  contentEncodings: 0x6d80,
  cluster: 0x1f43b675,
  blockGroup: 0xa0,
  block: 0xa1,
  simpleBlock: 0xa3,
} as const

/** Elements that contain elements: only their headers are skipped, and their contents come next. */
const CONTAINERS: readonly number[] = [IDS.segment, IDS.tracks, IDS.trackEntry, IDS.cluster, IDS.blockGroup]
const AUDIO = 2
/** An element's id takes up to 4 bytes, its size up to 8. */
const MAX_HEADER_BYTES = 12
/**
 * Elements besides blocks of audio: so many in all, and so many for each block, which has some of its own in a group.
 * Reading one takes 2 µs, and an empty one has two bytes.
 */
const MAX_OTHERS = 20_000
const MAX_OTHERS_PER_BLOCK = 8
/** The least that a block has besides its packets: track number, time and flags. */
const BLOCK_HEADER_BYTES = 4
/** Maximum size of a codec header or a block of audio; real ones have a few thousand bytes. */
const MAX_CONTENT_BYTES = 1024 * 1024

interface Element {
  readonly id: number
  /** Start and end of the content; the end is undefined if the size is unknown. */
  readonly start: number
  readonly end: number | undefined
}

/** The first audio track of a Matroska or WebM file. */
export interface AudioTrack {
  readonly number: number
  /** `A_OPUS`, `A_VORBIS`, `A_AAC`, … */
  readonly codec: string
  /** The codec's private header. */
  readonly header: Buffer
  /** Its blocks are additionally compressed or encrypted. */
  readonly isEncoded: boolean
}

/** @throws InvalidRequest if there is none */
export function audioTrack(file: AudioFile): AudioTrack {
  const tracks: { number: number; type: number; codec: string; header: Buffer; isEncoded: boolean }[] = []
  for (const element of elements(file)) {
    if (element.id === IDS.cluster) break
    if (element.id === IDS.trackEntry)
      tracks.push({ number: 0, type: 0, codec: "", header: Buffer.alloc(0), isEncoded: false })
    const track = tracks.at(-1)
    if (track === undefined) continue
    if (element.id === IDS.trackNumber) track.number = unsigned(content(file, element))
    if (element.id === IDS.trackType) track.type = unsigned(content(file, element))
    if (element.id === IDS.codecId)
      track.codec = content(file, element).toString("latin1").replace(/\0+$/, "")
    if (element.id === IDS.codecPrivate) track.header = content(file, element)
    if (element.id === IDS.contentEncodings) track.isEncoded = true
  }
  const track = tracks.find(({ type }) => type === AUDIO)
  if (track === undefined) throw brokenAudio("its Matroska container has no audio track")
  return track
}

/** The packets of a track, in file order. */
export function* trackPackets(file: AudioFile, track: AudioTrack): Generator<Uint8Array> {
  for (const element of elements(file)) {
    if (element.id !== IDS.simpleBlock && element.id !== IDS.block) continue
    const number = readVint(file.read(element.start, 8), 0)
    if (number?.value !== track.number) continue
    yield* unlace(content(file, element), number.next)
  }
}

/** All elements in file order, parents before their children. */
function* elements(file: AudioFile): Generator<Element> {
  let position = 0
  let spare = MAX_OTHERS
  while (position < file.size) {
    const element = readElement(file, position)
    spare += isAudioBlock(element) ? MAX_OTHERS_PER_BLOCK : -1
    if (spare < 0) throw brokenAudio("its Matroska container has too many elements without audio")
    if (element.end !== undefined && element.end > file.size)
      throw cutShort(`${element.end} bytes`, `are only ${file.size}`)
    yield element
    if (CONTAINERS.includes(element.id)) position = element.start
    else if (element.end === undefined)
      throw brokenAudio(`its Matroska container is damaged at byte ${position}`)
    else position = element.end
  }
}

function isAudioBlock({ id, start, end = start }: Element): boolean {
  return (id === IDS.simpleBlock || id === IDS.block) && end - start > BLOCK_HEADER_BYTES
}

function readElement(file: AudioFile, position: number): Element {
  const bytes = file.read(position, MAX_HEADER_BYTES)
  const idLength = vintLength(bytes[0] ?? 0)
  const size = readVint(bytes, idLength)
  if (idLength > 4 || size === undefined)
    throw brokenAudio(`its Matroska container is damaged at byte ${position}`)
  const start = position + size.next
  return { id: bytes.readUIntBE(0, idLength), start, end: size.isUnknown ? undefined : start + size.value }
}

function content(file: AudioFile, { start, end = start }: Element): Buffer {
  if (end - start > MAX_CONTENT_BYTES)
    throw brokenAudio(`its Matroska container has an element of ${end - start} bytes at ${start}`)
  return file.read(start, end - start)
}

function unsigned(bytes: Buffer): number {
  return bytes.length === 0 || bytes.length > 6 ? 0 : bytes.readUIntBE(0, bytes.length)
}

/** Length of a variable-length integer from its first byte: 1 to 8, or 9 if the byte is invalid. */
function vintLength(first: number): number {
  return Math.clz32(first) - 23
}

/** RFC 8794, 4. All bits set means "unknown", such as the size of a live stream. */
function readVint(
  bytes: Uint8Array,
  at: number,
): { readonly value: number; readonly isUnknown: boolean; readonly next: number } | undefined {
  const first = bytes[at] ?? 0
  const length = vintLength(first)
  if (length > 8 || at + length > bytes.length) return undefined
  const mask = 0xff >> length
  let value = first & mask
  let isUnknown = value === mask
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i] ?? 0
    isUnknown &&= byte === 0xff
    value = value * 256 + byte
  }
  return { value, isUnknown, next: at + length }
}

/** The part of a block after its track number: time (2 bytes), flags, and one or several laced packets. */
function unlace(block: Buffer, at: number): Uint8Array[] {
  const flags = block[at + 2] ?? 0
  const body = block.subarray(at + 3)
  const lacing = (flags >> 1) & 3
  if (lacing === 0) return [body]
  const count = (body[0] ?? 0) + 1
  const { sizes, next } = laceSizes(lacing, body, count)
  return cut(body.subarray(next), sizes)
}

interface LaceSizes {
  /** Of all packets except the last. */
  readonly sizes: readonly number[]
  /** Offset of the packets. */
  readonly next: number
}

/** RFC 9559, 10.3. Kinds: 1 Xiph, 2 fixed size, 3 EBML. */
function laceSizes(kind: number, body: Buffer, count: number): LaceSizes {
  if (kind === 1) return xiphSizes(body, count)
  if (kind === 3) return ebmlSizes(body, count)
  const size = Math.floor((body.length - 1) / count)
  return { sizes: Array<number>(count - 1).fill(size), next: 1 }
}

function xiphSizes(body: Buffer, count: number): LaceSizes {
  const sizes: number[] = []
  let at = 1
  while (sizes.length < count - 1 && at < body.length) {
    let size = 0
    while (body[at] === 0xff) size += body[at++] ?? 0
    sizes.push(size + (body[at++] ?? 0))
  }
  return { sizes, next: at }
}

/** The first size, followed by differences, stored with half of their range as an offset. */
function ebmlSizes(body: Buffer, count: number): LaceSizes {
  const sizes: number[] = []
  let at = 1
  while (sizes.length < count - 1) {
    const vint = readVint(body, at)
    if (vint === undefined) throw brokenAudio("a block of its Matroska container is damaged")
    const bias = sizes.length === 0 ? 0 : 2 ** (7 * (vint.next - at) - 1) - 1
    sizes.push((sizes.at(-1) ?? 0) + vint.value - bias)
    at = vint.next
  }
  return { sizes, next: at }
}

function cut(bytes: Buffer, sizes: readonly number[]): Uint8Array[] {
  const packets: Uint8Array[] = []
  let at = 0
  for (const size of sizes) {
    if (size < 0 || at + size > bytes.length)
      throw brokenAudio("a block of its Matroska container is damaged")
    packets.push(bytes.subarray(at, at + size))
    at += size
  }
  packets.push(bytes.subarray(at))
  return packets
}
