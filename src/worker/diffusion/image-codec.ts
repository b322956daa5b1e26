import type { ImageFormat } from "../../domain/image"
import { reasonOf } from "../../errors/base"
import { InvalidRequest } from "../../errors/request"

export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** What a picture that is sent in may have at most: 64 megapixels. */
const MAX_SOURCE_PIXELS = 67_108_864

/** Quality of jpeg and webp where a request names none: OpenAI's default. */
const BEST_QUALITY = 100

/** PNG keeps width and height at fixed places (PNG specification, section 11.2.2). */
export function sizeOfPng(png: Uint8Array): ImageSize {
  const view = new DataView(png.buffer, png.byteOffset)
  return { width: view.getUint32(16), height: view.getUint32(20) }
}

/** A PNG in the format that was asked for. Off the main thread, by the codecs that Bun brings. */
export async function encodeImage(
  png: Uint8Array,
  format: ImageFormat,
  compression: number | undefined,
): Promise<Uint8Array> {
  // The lowest that the encoders know is 1.
  const quality = Math.max(1, compression ?? BEST_QUALITY)
  switch (format) {
    case "png":
      return png
    case "jpeg":
      return await new Bun.Image(png).jpeg({ quality }).bytes()
    case "webp":
      return await new Bun.Image(png).webp({ quality }).bytes()
    default:
      return format satisfies never
  }
}

/** @throws InvalidRequest where the file is no picture in a format that can be read */
export async function sizeOfSource(path: string): Promise<ImageSize> {
  const { width, height } = await reading(() =>
    new Bun.Image(path, { maxPixels: MAX_SOURCE_PIXELS }).metadata(),
  )
  return { width, height }
}

/** The picture in that size, as PNG. @throws InvalidRequest where it is damaged */
export async function readSource(path: string, { width, height }: ImageSize): Promise<Uint8Array> {
  return await reading(() =>
    new Bun.Image(path, { maxPixels: MAX_SOURCE_PIXELS })
      .resize(width, height, { fit: "fill" })
      .png()
      .bytes(),
  )
}

async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw new InvalidRequest(`the image cannot be read: ${reasonOf(error)}`, "image")
  }
}
