import type { TokensResult } from "../../domain/tokens"

/** The text of each token, or its bytes where it is a part of a character. */
export function toPieces({
  bytes,
  lengths,
}: NonNullable<TokensResult["pieces"]>): readonly (string | readonly number[])[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  let at = 0
  return Array.from(lengths, (length) => {
    const piece = bytes.subarray(at, (at += length))
    try {
      return decoder.decode(piece)
    } catch {
      return Array.from(piece)
    }
  })
}
