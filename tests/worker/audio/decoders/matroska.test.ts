import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { AudioFile } from "../../../../src/worker/audio/decoders/audio-file"
import { audioTrack, trackPackets } from "../../../../src/worker/audio/decoders/matroska"
import { tempFolder } from "../../../support/temp-folder"

const folder = tempFolder()
afterAll(() => folder[Symbol.dispose]())

const element = (id: readonly number[], content: readonly number[]) => [
  ...id,
  0x80 | content.length,
  ...content,
]
/** A container of unknown size, as of a live stream. */
const open = (id: readonly number[]) => [...id, 0x01, ...Array<number>(7).fill(0xff)]

const SEGMENT = [0x18, 0x53, 0x80, 0x67]
const TRACKS = [0x16, 0x54, 0xae, 0x6b]
const CLUSTER = [0x1f, 0x43, 0xb6, 0x75]
const OPUS = Array.from(new TextEncoder().encode("A_OPUS"))
const TRACK = element([0xae], [...element([0xd7], [1]), ...element([0x83], [2]), ...element([0x86], OPUS)])
const HEAD = [...open(SEGMENT), ...element(TRACKS, TRACK), ...open(CLUSTER)]
/** A packet of one byte, in a group with its duration, as some writers have them. */
const BLOCK = element([0xa0], [...element([0xa1], [0x81, 0, 0, 0, 7]), ...element([0x9b], [20])])
const EMPTY_BLOCK = element([0xa3], [])
const VOID = element([0xec], [])

function packetsOf(...parts: readonly (readonly [content: readonly number[], times: number])[]): number {
  const path = join(folder.path, "audio.mka")
  const bytes = parts.flatMap(([content, times]) => Array<Buffer>(times).fill(Buffer.from(content)))
  writeFileSync(path, Buffer.concat([Buffer.from(HEAD), ...bytes]))
  using file = new AudioFile(path)
  return Array.from(trackPackets(file, audioTrack(file))).length
}

describe("a Matroska file", () => {
  test("has the packets of its audio track", () => {
    expect(packetsOf([BLOCK, 3])).toBe(3)
  })

  test("may have many packets in groups, and some elements without audio", () => {
    expect(packetsOf([VOID, 15_000], [BLOCK, 15_000])).toBe(15_000)
  })

  test.each([
    ["elements", VOID],
    ["blocks", EMPTY_BLOCK],
  ])("is refused where it consists of empty %s", (_what, content) => {
    expect(() => packetsOf([BLOCK, 1], [content, 25_000])).toThrow(
      "its Matroska container has too many elements without audio",
    )
  })
})
