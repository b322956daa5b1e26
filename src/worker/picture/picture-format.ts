/** Formats that Bun.Image decodes on every system. */
const ACCEPTED = "png, jpeg, webp, gif and bmp"

/** How formats begin that are refused by their names. */
const REFUSED: readonly (readonly [name: string, start: RegExp])[] = [
  ["svg", /^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!DOCTYPE[^>]*>\s*)?<svg[\s>]/is],
  ["avif", /^.{4}ftyp(?:avif|avis)/s],
  ["heic", /^.{4}ftyp(?:heic|heix|heim|heis|hevc|hevx|mif1|msf1)/s],
  ["tiff", /^(?:II\*\x00|MM\x00\*|II\+\x00|MM\x00\+)/],
  ["ico", /^\x00\x00\x01\x00/],
  ["jpeg xl", /^(?:\xff\x0a|\x00{3}\x0cJXL )/],
  ["pdf", /^%PDF-/],
]

const DECODED: readonly RegExp[] = [
  /^\x89PNG\r\n\x1a\n/,
  /^\xff\xd8\xff/,
  /^RIFF.{4}WEBP/s,
  /^GIF8[79]a/,
  /^BM/,
]

/** Bytes at the start that tell the format. */
const HEAD_BYTES = 1024

/** The flag of an animation in the header of an extended WebP file, and where it is. */
const WEBP_FLAGS = 20
const WEBP_ANIMATION = 0x02

/** Why a file is not read as a picture, if so; continues a sentence. */
export function formatRefusal(file: Uint8Array): string | undefined {
  if (file.length === 0) return "it is empty"
  const head = Buffer.from(file.buffer, file.byteOffset, Math.min(file.length, HEAD_BYTES)).toString("latin1")
  const refused = REFUSED.find(([, start]) => start.test(head))
  if (refused !== undefined) return `it is ${refused[0]}; supported are ${ACCEPTED}`
  if (isAnimatedWebp(head, file)) return `it is an animated webp; send one frame of it, as ${ACCEPTED}`
  if (DECODED.some((start) => start.test(head))) return undefined
  return `it is no image that is known; supported are ${ACCEPTED}`
}

function isAnimatedWebp(head: string, file: Uint8Array): boolean {
  return /^RIFF.{4}WEBPVP8X/s.test(head) && ((file[WEBP_FLAGS] ?? 0) & WEBP_ANIMATION) !== 0
}
