/** The longest name of a file that common file systems have. */
const MAX_PART_BYTES = 255

/**
 * Is it a relative path of plain names, with `/` between them, which stays in the folder that it is put into? Names
 * without control characters only: they are shown.
 */
export function isInside(name: string): boolean {
  return name.split("/").every(isPlain)
}

function isPlain(part: string): boolean {
  return !/^\.{0,2}$|[\u0000-\u001f\u007f\\]/.test(part) && Buffer.byteLength(part) <= MAX_PART_BYTES
}
