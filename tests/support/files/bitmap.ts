const HEAD_BYTES = 54

/** A Windows bitmap, the simplest widely supported format; `colour` returns red, green and blue. */
export function bmp(
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly [number, number, number],
): Uint8Array {
  const row = Math.ceil((width * 3) / 4) * 4
  const file = Buffer.alloc(HEAD_BYTES + row * height)
  file.write("BM")
  file.writeUInt32LE(file.length, 2)
  file.writeUInt32LE(HEAD_BYTES, 10)
  file.writeUInt32LE(40, 14)
  file.writeInt32LE(width, 18)
  // Negative: rows are stored top-down.
  file.writeInt32LE(-height, 22)
  file.writeUInt16LE(1, 26)
  file.writeUInt16LE(24, 28)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [red, green, blue] = colour(x, y)
      file.set([blue & 255, green & 255, red & 255], HEAD_BYTES + y * row + x * 3)
    }
  return file
}
