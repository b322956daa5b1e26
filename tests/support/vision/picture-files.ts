import { bmp } from "../files/bitmap"
import { gif } from "./gif-writer"
import { png, pngChunk, pngWithoutPixels } from "./png-writer"

type Colour = readonly [red: number, green: number, blue: number]

/** A file that may be sent as a picture. */
export interface PictureFile {
  readonly name: string
  readonly bytes: Uint8Array
  /** What is to be seen: the colours in the middle of both halves of the longer side. Absent: it is refused. */
  readonly seen?: {
    readonly width: number
    readonly height: number
    readonly first: Colour
    readonly last: Colour
  }
  /** What the refusal names, where the format is known but not supported. */
  readonly format?: string
}

const WIDTH = 64
const HEIGHT = 32
const RED: Colour = [255, 0, 0]
const BLUE: Colour = [0, 0, 255]
const WHITE: Colour = [255, 255, 255]
const USUAL = { width: WIDTH, height: HEIGHT, first: RED, last: BLUE }
/** Orientations of EXIF by number: what a picture that is red on the left looks like when it is turned. */
const MIRRORED = [2, 3, 7, 8]
const UPRIGHT = [5, 6, 7, 8]

/** The usual picture, red on the left and blue on the right, in every form, and files that only look like pictures. */
export async function pictureFiles(): Promise<readonly PictureFile[]> {
  const plain = usualPng()
  const jpeg = Buffer.from(await new Bun.Image(plain).jpeg({ quality: 95 }).bytes())
  const webp = Buffer.from(await new Bun.Image(plain).webp({ lossless: true }).bytes())
  return [
    ...(await readable(plain, jpeg, webp)),
    ...unsupported(webp),
    ...damaged(plain, jpeg, webp),
    ...hostile(jpeg),
  ]
}

async function readable(plain: Buffer, jpeg: Buffer, webp: Buffer): Promise<readonly PictureFile[]> {
  const image = () => new Bun.Image(plain)
  const seen = (name: string, bytes: Uint8Array, as: PictureFile["seen"] = USUAL): PictureFile => ({
    name,
    bytes,
    seen: as,
  })
  const grey = (first: number, last: number) => ({ ...USUAL, first: shade(first), last: shade(last) })
  return [
    seen("plain.png", plain),
    seen(
      "16 bits.png",
      png(WIDTH, HEIGHT, () => halves(hex("ffff00000000"), hex("00000000ffff")), { depth: 16 }),
    ),
    seen(
      "grey.png",
      png(WIDTH, HEIGHT, () => halves([200], [40]), { type: 0 }),
      grey(200, 40),
    ),
    seen(
      "16 bits of grey.png",
      png(WIDTH, HEIGHT, () => halves([200, 200], [40, 40]), { type: 0, depth: 16 }),
      grey(200, 40),
    ),
    seen(
      "black and white.png",
      png(WIDTH, HEIGHT, () => hex("00000000ffffffff"), { type: 0, depth: 1 }),
      grey(0, 255),
    ),
    seen(
      "palette.png",
      png(WIDTH, HEIGHT, () => halves([0], [1]), { type: 3, chunks: [palette()] }),
    ),
    seen("quantized.png", await image().png({ palette: true, colors: 4 }).bytes()),
    seen(
      "opaque.png",
      png(WIDTH, HEIGHT, () => halves([...RED, 255], [...BLUE, 255]), { type: 6 }),
    ),
    seen(
      "transparent.png",
      png(WIDTH, HEIGHT, () => halves([...RED, 0], [...BLUE, 255]), { type: 6 }),
      { ...USUAL, first: WHITE },
    ),
    seen(
      "grey and transparent.png",
      png(WIDTH, HEIGHT, () => halves([0, 0], [40, 255]), { type: 4 }),
      grey(255, 40),
    ),
    seen(
      "one pixel.png",
      png(1, 1, () => Buffer.from([9, 200, 30])),
      { width: 1, height: 1, first: [9, 200, 30], last: [9, 200, 30] },
    ),
    seen(
      "very wide.png",
      png(5000, 3, () => Buffer.alloc(15_000, Buffer.from(RED))),
      { width: 5000, height: 3, first: RED, last: RED },
    ),
    seen("plain.jpg", jpeg),
    seen("progressive.jpg", await image().jpeg({ quality: 95, progressive: true }).bytes()),
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((orientation) =>
      seen(`orientation ${orientation}.jpg`, withOrientation(jpeg, orientation), turned(orientation)),
    ),
    seen("orientation of another planet.jpg", withOrientation(jpeg, 99)),
    seen("lossless.webp", webp),
    seen("lossy.webp", await image().webp({ quality: 95 }).bytes()),
    seen(
      "plain.bmp",
      bmp(WIDTH, HEIGHT, (x) => (x < WIDTH / 2 ? RED : BLUE)),
    ),
    seen("plain.gif", gif([(x) => (x < WIDTH / 2 ? 0 : 1)], size(), [RED, BLUE, WHITE, WHITE])),
    seen("animated.gif", gif([(x) => (x < WIDTH / 2 ? 0 : 1), () => 2], size(), [RED, BLUE, WHITE, WHITE])),
    seen("without its end.jpg", jpeg.subarray(0, jpeg.length - 2)),
  ]
}

function unsupported(webp: Buffer): readonly PictureFile[] {
  const named = (name: string, format: string, bytes: Uint8Array): PictureFile => ({ name, bytes, format })
  return [
    named("animated.webp", "webp", animatedWebp(webp)),
    named(
      "plain.svg",
      "svg",
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="64" height="32"/>'),
    ),
    named("plain.avif", "avif", isoMedia("avif")),
    named("plain.heic", "heic", isoMedia("heic")),
    named("plain.tiff", "tiff", Buffer.from("49492a0008000000000000000000", "hex")),
  ]
}

function damaged(plain: Buffer, jpeg: Buffer, webp: Buffer): readonly PictureFile[] {
  const changed = Buffer.from(plain)
  changed.fill(0, 45, 60)
  return [
    { name: "empty", bytes: new Uint8Array() },
    { name: "text.png", bytes: Buffer.from("hello") },
    { name: "only a header.png", bytes: plain.subarray(0, 20) },
    { name: "half of it.png", bytes: plain.subarray(0, plain.length / 2) },
    { name: "changed.png", bytes: changed },
    { name: "only a header.jpg", bytes: jpeg.subarray(0, 12) },
    { name: "half of it.webp", bytes: webp.subarray(0, webp.length / 2) },
    { name: "icon.ico", bytes: Buffer.from("000001000100", "hex") },
  ]
}

/** Small files that ask for much. */
function hostile(jpeg: Buffer): readonly PictureFile[] {
  const side = 15_000
  const row = Buffer.alloc(Math.ceil(side / 8))
  return [
    { name: "no pixels.png", bytes: pngWithoutPixels(0, 0) },
    { name: "promises too much.png", bytes: pngWithoutPixels(60_000, 60_000) },
    { name: "2 to the 31.png", bytes: pngWithoutPixels(2 ** 31 - 1, 2 ** 31 - 1) },
    { name: "large and black.png", bytes: png(side, side, () => row, { type: 0, depth: 1 }) },
    { name: "promises too much.jpg", bytes: withSize(jpeg, 65_535, 65_535) },
    { name: "promises too much.bmp", bytes: bmpWithSize(2 ** 31 - 1, 2 ** 31 - 1) },
    {
      name: "promises too much.gif",
      bytes: gif([() => 0], { width: 65_535, height: 65_535, lines: 1 }, [RED, BLUE]),
    },
    { name: "a chunk without end.png", bytes: endlessChunk() },
  ]
}

function size() {
  return { width: WIDTH, height: HEIGHT, lines: HEIGHT }
}

function usualPng(): Buffer {
  return png(WIDTH, HEIGHT, () => halves(RED, BLUE))
}

function halves(first: Iterable<number>, last: Iterable<number>): Buffer {
  const [left, right] = [Buffer.from([...first]), Buffer.from([...last])]
  return Buffer.concat(Array.from({ length: WIDTH }, (_, x) => (x < WIDTH / 2 ? left : right)))
}

function hex(text: string): Buffer {
  return Buffer.from(text, "hex")
}

function shade(value: number): Colour {
  return [value, value, value]
}

function palette(): Buffer {
  return pngChunk("PLTE", Buffer.from([...RED, ...BLUE]))
}

function turned(orientation: number): NonNullable<PictureFile["seen"]> {
  const isUpright = UPRIGHT.includes(orientation)
  const isMirrored = MIRRORED.includes(orientation)
  return {
    width: isUpright ? HEIGHT : WIDTH,
    height: isUpright ? WIDTH : HEIGHT,
    first: isMirrored ? BLUE : RED,
    last: isMirrored ? RED : BLUE,
  }
}

/** EXIF with one field, the orientation, after the start of the file. */
function withOrientation(jpeg: Buffer, orientation: number): Buffer {
  const tiff = Buffer.from("4d4d002a000000080001011200030000000100000000000000000000", "hex")
  tiff.writeUInt16BE(orientation, 18)
  const body = Buffer.concat([Buffer.from("Exif\0\0", "latin1"), tiff])
  const head = Buffer.from([0xff, 0xe1, 0, 0])
  head.writeUInt16BE(body.length + 2, 2)
  return Buffer.concat([jpeg.subarray(0, 2), head, body, jpeg.subarray(2)])
}

/** Another size in the frame header of a JPEG. */
function withSize(jpeg: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(jpeg)
  const frame = changed.indexOf(Buffer.from([0xff, 0xc0]))
  changed.writeUInt16BE(height, frame + 5)
  changed.writeUInt16BE(width, frame + 7)
  return changed
}

function bmpWithSize(width: number, height: number): Buffer {
  const file = Buffer.from(bmp(1, 1, () => RED))
  file.writeInt32LE(width, 18)
  file.writeInt32LE(height, 22)
  return file
}

function endlessChunk(): Buffer {
  const file = usualPng()
  file.writeUInt32BE(0x7fffffff, 33)
  return file
}

/** The beginning of a file of the family of MP4, which says its kind. */
function isoMedia(brand: string): Buffer {
  const box = Buffer.from(`\0\0\0\x18ftyp${brand}\0\0\0\0${brand}mif1`, "latin1")
  return Buffer.concat([box, Buffer.alloc(64)])
}

/** Two frames of a still one, in the extended form. */
function animatedWebp(still: Buffer): Buffer {
  const chunk = (name: string, data: Uint8Array) => {
    const head = Buffer.alloc(8)
    head.write(name, "latin1")
    head.writeUInt32LE(data.length, 4)
    return Buffer.concat([head, data, Buffer.alloc(data.length % 2)])
  }
  const edges = Buffer.alloc(6)
  edges.writeUIntLE(WIDTH - 1, 0, 3)
  edges.writeUIntLE(HEIGHT - 1, 3, 3)
  const frame = chunk(
    "ANMF",
    Buffer.concat([Buffer.alloc(6), edges, Buffer.from([100, 0, 0, 0]), still.subarray(12)]),
  )
  const body = Buffer.concat([
    Buffer.from("WEBP"),
    chunk("VP8X", Buffer.concat([Buffer.from([2, 0, 0, 0]), edges])),
    chunk("ANIM", Buffer.alloc(6)),
    frame,
    frame,
  ])
  return Buffer.concat([chunk("RIFF", body)])
}
