import { mediaBytes, type TestMedia } from "./recorded-cases"

const BITMAP_HEAD = 54
const WAV_HEAD = 44

/** The pixels of a bitmap, or the samples of a sound, as a projector takes them. */
export function decodedMedia(
  media: TestMedia,
): { readonly width: number; readonly height: number; readonly rgb: Uint8Array } | Float32Array {
  const file = Buffer.from(mediaBytes(media))
  if (media.type === "sound")
    return Float32Array.from(
      { length: (file.length - WAV_HEAD) / 2 },
      (_, index) => file.readInt16LE(WAV_HEAD + index * 2) / 32768,
    )
  const [width, height] = [file.readInt32LE(18), -file.readInt32LE(22)]
  const row = Math.ceil((width * 3) / 4) * 4
  const rgb = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = BITMAP_HEAD + y * row + x * 3
      rgb.set([file[at + 2] ?? 0, file[at + 1] ?? 0, file[at] ?? 0], (y * width + x) * 3)
    }
  return { width, height, rgb }
}
