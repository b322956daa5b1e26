import { crc32, deflateSync } from "node:zlib"

export interface PngOptions {
  /** Bits of each sample. Default 8. */
  readonly depth?: 1 | 2 | 4 | 8 | 16
  /** 0: grey, 2: colours, 3: palette, 4: grey and alpha, 6: colours and alpha. Default 2. */
  readonly type?: 0 | 2 | 3 | 4 | 6
  /** Chunks between the header and the pixels. */
  readonly chunks?: readonly Uint8Array[]
}

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1")

/** A PNG of rows as they are stored, without the byte before each that says how it is filtered. */
export function png(
  width: number,
  height: number,
  rows: (y: number) => Uint8Array,
  { depth = 8, type = 2, chunks = [] }: PngOptions = {},
): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([depth, type, 0, 0, 0], 8)
  const raw = Buffer.concat(Array.from({ length: height }, (_, y) => Buffer.concat([Buffer.of(0), rows(y)])))
  return Buffer.concat([
    SIGNATURE,
    pngChunk("IHDR", head),
    ...chunks,
    pngChunk("IDAT", deflateSync(raw)),
    pngChunk("IEND", Buffer.alloc(0)),
  ])
}

/** A header that promises a picture of that size, without its pixels. */
export function pngWithoutPixels(width: number, height: number): Buffer {
  const one = png(1, 1, () => Buffer.alloc(3))
  const head = Buffer.from(one.subarray(16, 29))
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  return Buffer.concat([SIGNATURE, pngChunk("IHDR", head), one.subarray(33)])
}

export function pngChunk(name: string, data: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(name, "latin1"), data])
  const chunk = Buffer.alloc(named.length + 8)
  chunk.writeUInt32BE(data.length, 0)
  chunk.set(named, 4)
  chunk.writeUInt32BE(crc32(named), named.length + 4)
  return chunk
}
