import { breathe } from "../../lib/async/breathe"
import type { TokensResult } from "../../domain/tokens"

/** The text of each token, or its bytes where it is a part of a character. */
export async function toPieces({
  bytes,
  lengths,
}: NonNullable<TokensResult["pieces"]>): Promise<readonly (string | readonly number[])[]> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  const pieces: (string | readonly number[])[] = []
  let at = 0
  for (const length of lengths) {
    pieces.push(textOrBytes(bytes.subarray(at, (at += length)), decoder))
    if (pieces.length % PIECES_AT_A_TIME === 0) await breathe()
  }
  return pieces
}

/** Pieces that are decoded at a time: some milliseconds. */
const PIECES_AT_A_TIME = 16_384

function textOrBytes(bytes: Uint8Array, decoder: TextDecoder): string | readonly number[] {
  try {
    return decoder.decode(bytes)
  } catch {
    return Array.from(bytes) // a part of a character
  }
}
