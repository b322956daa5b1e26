import type { PictureDetail } from "../../domain/chat"
import { reasonOf } from "../../errors/base"
import { PICTURES } from "../../limits"
import { formatRefusal } from "./picture-format"
import { pixelsOfPng } from "./png-pixels"
import type { MeasuredFile } from "./protocol"

/** Why a file is not read; its message continues a sentence. */
export class Unreadable extends Error {}

/** The size of a picture as a model gets it. @throws Unreadable */
export async function measurePicture(
  file: Uint8Array,
  detail: PictureDetail | undefined,
): Promise<MeasuredFile> {
  const { width, height } = await sizeOf(file)
  const scale =
    detail === "low"
      ? Math.min(1, PICTURES.lowSide / Math.max(width, height))
      : Math.min(1, Math.sqrt(PICTURES.pixels / (width * height)))
  return {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
    samples: 0,
    digest: digestOf(detail === "low" ? "low" : "", file),
  }
}

/** @throws Unreadable */
export async function readPicture(
  file: Uint8Array,
  detail: PictureDetail | undefined,
): Promise<{ readonly measured: MeasuredFile; readonly rgb: Uint8Array }> {
  const measured = await measurePicture(file, detail)
  const { width, height } = measured
  const source = await sizeOf(file)
  const image = open(file)
  if (width !== source.width || height !== source.height) image.resize(width, height, { fit: "fill" })
  const decoded = pixelsOfPng(await trying(() => image.png({ compressionLevel: 0 }).buffer()))
  if (decoded.width !== width || decoded.height !== height)
    throw new Unreadable(
      `its header says ${width} × ${height}, but it has ${decoded.width} × ${decoded.height}`,
    )
  return { measured, rgb: decoded.rgb }
}

/** Of what is done to a file and its bytes. */
export function digestOf(treatment: string, file: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(`${treatment}\0`).update(file).digest("hex")
}

async function sizeOf(file: Uint8Array): Promise<{ readonly width: number; readonly height: number }> {
  const refusal = formatRefusal(file)
  if (refusal !== undefined) throw new Unreadable(refusal)
  const { width, height } = await trying(() => open(file).metadata())
  if (width * height <= PICTURES.sourcePixels) return { width, height }
  throw new Unreadable(tooLarge(`${width} × ${height} pixels`))
}

function open(file: Uint8Array): Bun.Image {
  return new Bun.Image(file, { maxPixels: PICTURES.sourcePixels })
}

async function trying<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "ERR_IMAGE_TOO_MANY_PIXELS") throw new Unreadable(tooLarge())
    throw new Unreadable(
      code === "ERR_IMAGE_DECODE_FAILED" ? "it is damaged" : `it is damaged (${reasonOf(error)})`,
    )
  }
}

/** `size`: unknown where only the decoder sees it. */
function tooLarge(size = "too many pixels"): string {
  return `it has ${size}; at most ${PICTURES.sourcePixels / 1024 ** 2} megapixels are accepted`
}
