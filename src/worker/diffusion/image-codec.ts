import type { ImageFormat } from "../../domain/media/image"
import { reasonOf } from "../../errors/base"
import { InvalidRequest } from "../../errors/request"
import { IMAGES } from "../../limits"

export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** Default quality of jpeg and webp, as in OpenAI's API. */
const BEST_QUALITY = 100

/** PNG stores width and height at fixed offsets (PNG specification, section 11.2.2). */
export function sizeOfPng(png: Uint8Array): ImageSize {
  const view = new DataView(png.buffer, png.byteOffset)
  return { width: view.getUint32(16), height: view.getUint32(20) }
}

/** Converts a PNG to the requested format, off the main thread, with Bun's codecs. */
export async function encodeImage(
  png: Uint8Array,
  format: ImageFormat,
  compression: number | undefined,
): Promise<Uint8Array> {
  // The encoders accept 1 as the minimum.
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

/** @throws InvalidRequest if the file is not an image in a supported format */
export async function sizeOfSource(path: string): Promise<ImageSize> {
  const { width, height } = await reading(() =>
    new Bun.Image(path, { maxPixels: IMAGES.sourcePixels }).metadata(),
  )
  return { width, height }
}

/** The image scaled to that size, as PNG. @throws InvalidRequest if it is damaged */
export async function readSource(path: string, { width, height }: ImageSize): Promise<Uint8Array> {
  return await reading(() =>
    new Bun.Image(path, { maxPixels: IMAGES.sourcePixels })
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
