export interface GifSize {
  readonly width: number
  readonly height: number
  /** How many lines of each frame are written. */
  readonly lines: number
}

/**
 * A GIF of up to four colours, not compressed: before the table of its codes grows it is cleared, so that all of them
 * have three bits.
 * @param frames the colour's number for each pixel
 */
export function gif(
  frames: readonly ((x: number, y: number) => number)[],
  { width, height, lines }: GifSize,
  colours: readonly (readonly [number, number, number])[],
): Buffer {
  const screen = Buffer.from("GIF89a\0\0\0\0\x91\0\0", "latin1")
  screen.writeUInt16LE(width, 6)
  screen.writeUInt16LE(height, 8)
  const table = Buffer.alloc(12)
  colours.forEach((colour, index) => table.set(colour, index * 3))
  return Buffer.concat([
    screen,
    table,
    ...frames.flatMap((colourAt) => [
      Buffer.from([0x21, 0xf9, 4, 0, 10, 0, 0, 0]),
      frameHead(width, height),
      ...blocksOf(packed(codesOf(colourAt, width, lines))),
    ]),
    Buffer.of(0x3b),
  ])
}

const BITS = 3
const CLEAR = 4
const END = 5

function frameHead(width: number, height: number): Buffer {
  const head = Buffer.from([0x2c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
  head.writeUInt16LE(width, 5)
  head.writeUInt16LE(height, 7)
  return head
}

function codesOf(colourAt: (x: number, y: number) => number, width: number, lines: number): number[] {
  const codes: number[] = []
  for (let y = 0; y < lines; y++)
    for (let x = 0; x < width; x++) {
      if (x % 2 === 0) codes.push(CLEAR)
      codes.push(colourAt(x, y))
    }
  return [...codes, END]
}

function packed(codes: readonly number[]): Buffer {
  const bytes = Buffer.alloc(Math.ceil((codes.length * BITS) / 8))
  codes.forEach((code, index) => {
    for (let bit = 0; bit < BITS; bit++) {
      const at = index * BITS + bit
      if ((code >> bit) & 1) bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (1 << (at & 7))
    }
  })
  return bytes
}

function blocksOf(data: Buffer): Buffer[] {
  const blocks: Buffer[] = []
  for (let at = 0; at < data.length; at += 255) {
    const part = data.subarray(at, at + 255)
    blocks.push(Buffer.of(part.length), part)
  }
  return [...blocks, Buffer.of(0)]
}
