import { type Fields, invalidField } from "./fields"

/** More than enough for 64 bits with their sign. */
const MAX_DIGITS = 40

/**
 * A seed as it was given: any whole number, for other servers take 64 bits. It may be a string, as vLLM and SGLang allow:
 * that is all that JavaScript has for a BigInt. Beyond 2^53 it loses its last digits, as JSON's numbers do here, so both
 * spellings mean the same.
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
