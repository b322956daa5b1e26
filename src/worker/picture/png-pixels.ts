import { inflateSync } from "node:zlib"

/** Pixels of three bytes, row by row. */
interface Rgb {
  readonly width: number
  readonly height: number
  readonly rgb: Uint8Array
}

/** Offsets in a PNG (its specification, sections 5.3 and 11.2.2). */
const SIGNATURE_BYTES = 8
const CHUNK_BYTES = 12
const WIDTH_AT = 16
const HEIGHT_AT = 20
const DEPTH_AT = 24
const TYPE_AT = 25
const INTERLACE_AT = 28

const TRUE_COLOUR = 2
const TRUE_COLOUR_WITH_ALPHA = 6

/**
 * The pixels of a PNG that Bun.Image has just written, which has no raw output: 8 bits a channel, not interlaced.
 * What is transparent is laid on white.
 */
export function pixelsOfPng(png: Buffer): Rgb {
  const width = png.readUInt32BE(WIDTH_AT)
  const height = png.readUInt32BE(HEIGHT_AT)
  const type = png[TYPE_AT]
  if (
    png[DEPTH_AT] !== 8 ||
    png[INTERLACE_AT] !== 0 ||
    (type !== TRUE_COLOUR && type !== TRUE_COLOUR_WITH_ALPHA)
  )
    throw new Error(`unexpected PNG of type ${type} with ${png[DEPTH_AT]} bits`)
  const channels = type === TRUE_COLOUR_WITH_ALPHA ? 4 : 3
  const rows = inflateSync(Buffer.concat(dataOf(png)))
  const rgb = new Uint8Array(width * height * 3)
  const stride = width * channels
  let above = new Uint8Array(stride)
  let line = new Uint8Array(stride)
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1)
    unfilter(rows[start] ?? 0, rows.subarray(start + 1, start + 1 + stride), { line, above, channels })
    const row = rgb.subarray(y * width * 3, (y + 1) * width * 3)
    if (channels === 3) row.set(line)
    else layOnWhite(line, row)
    ;[above, line] = [line, above]
  }
  return { width, height, rgb }
}

function dataOf(png: Buffer): Buffer[] {
  const data: Buffer[] = []
  for (let at = SIGNATURE_BYTES; at + CHUNK_BYTES <= png.length;) {
    const length = png.readUInt32BE(at)
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") data.push(png.subarray(at + 8, at + 8 + length))
    at += CHUNK_BYTES + length
  }
  return data
}

interface Lines {
  readonly line: Uint8Array
  readonly above: Uint8Array
  readonly channels: number
}

/** The PNG specification, section 9.2. */
function unfilter(filter: number, given: Uint8Array, { line, above, channels }: Lines): void {
  if (filter === 0) {
    line.set(given)
    return
  }
  for (let i = 0; i < line.length; i++) {
    const left = i >= channels ? (line[i - channels] ?? 0) : 0
    const up = above[i] ?? 0
    const corner = i >= channels ? (above[i - channels] ?? 0) : 0
    line[i] = (given[i] ?? 0) + predicted(filter, left, up, corner)
  }
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 1:
      return left
    case 2:
      return up
    case 3:
      return (left + up) >> 1
    default:
      return paeth(left, up, corner)
  }
}

function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner)
  const toUp = Math.abs(left - corner)
  const toCorner = Math.abs(left + up - 2 * corner)
  if (toLeft <= toUp && toLeft <= toCorner) return left
  return toUp <= toCorner ? up : corner
}

function layOnWhite(rgba: Uint8Array, rgb: Uint8Array): void {
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    const alpha = rgba[from + 3] ?? 0
    const white = 255 * (255 - alpha)
    for (let channel = 0; channel < 3; channel++)
      rgb[to + channel] = Math.round(((rgba[from + channel] ?? 0) * alpha + white) / 255)
  }
}
