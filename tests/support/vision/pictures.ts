import { bmp } from "../files/bitmap"
import { mulberry } from "../files/mulberry"

/** A picture of one colour. */
export function plainPicture(
  width: number,
  height: number,
  colour: readonly [number, number, number],
): Uint8Array {
  return bmp(width, height, () => colour)
}

/** A picture of coloured tiles, different for each seed, as a Windows bitmap. */
export function tiledPicture(width: number, height: number, seed = 1): Uint8Array {
  const random = mulberry(seed)
  const tiles = Array.from({ length: 64 }, () => [random(), random(), random()].map((part) => part * 255))
  return bmp(width, height, (x, y) => {
    const tile = tiles[(Math.floor((x * 8) / width) % 8) + 8 * (Math.floor((y * 8) / height) % 8)] ?? []
    return [Math.floor(tile[0] ?? 0), Math.floor(tile[1] ?? 0), Math.floor(tile[2] ?? 0)]
  })
}
