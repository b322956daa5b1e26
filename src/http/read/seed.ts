import { type Fields, invalidField } from "./fields"

/** More than enough for 64 bits and a sign. */
const MAX_DIGITS = 40

/**
 * Reads a seed: any integer, because other servers accept 64 bits. It may be a string, as in vLLM and SGLang:
 * JavaScript clients have no other way to send a BigInt. Beyond 2^53 it loses its last digits, like JSON's numbers in
 * JavaScript, so both spellings mean the same.
 * @throws InvalidRequest
 */
export function readSeed(fields: Fields): number | undefined {
  const value = fields.unchecked("seed")
  if (value === undefined) return undefined
  const seed = typeof value === "string" && isWholeNumber(value) ? Number(value) : value
  if (typeof seed === "number" && Number.isInteger(seed)) return seed
  throw invalidField("seed", "a whole number", value)
}

function isWholeNumber(text: string): boolean {
  return text.length <= MAX_DIGITS && /^[+-]?\d+$/.test(text)
}
