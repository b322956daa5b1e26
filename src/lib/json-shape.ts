import { breathe } from "./async/breathe"

/** Limits on the structure of a JSON text. */
export interface JsonShape {
  /** Nesting depth of arrays and objects. */
  readonly levels: number
  /** Keys of objects, at all levels. */
  readonly keys: number
  /** Entries of arrays and objects, at all levels. */
  readonly values: number
  /** Bytes that are no plain ASCII, an escape's backslash counting as six: slow to decode. Absent: not limited. */
  readonly costly?: number
}

/** Bytes examined at a time: about 2 ms. */
const SLICE_BYTES = 512 * 1024

/** The longest escape: `\uXXXX`. */
const ESCAPE_BYTES = 6

const FIRST_NOT_ASCII = 0x80
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPENING_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSING_BRACKET = 0x5d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/**
 * The first limit that a JSON text exceeds; `undefined` where it exceeds none. Depth and number of parts determine
 * the cost of parsing, and the parser blocks everything else until it finishes. Whether the text is valid JSON is
 * left to the parser.
 */
export async function findExcess(bytes: Uint8Array, most: JsonShape): Promise<keyof JsonShape | undefined> {
  const counter = new ShapeCounter()
  for (let start = 0; start < bytes.length; start += SLICE_BYTES) {
    if (start > 0) await breathe()
    counter.look(bytes, start, Math.min(bytes.length, start + SLICE_BYTES))
    if (counter.deepest > most.levels) return "levels"
    if (counter.keys > most.keys) return "keys"
    if (counter.values > most.values) return "values"
    if (most.costly !== undefined && counter.costly > most.costly) return "costly"
  }
  return undefined
}

class ShapeCounter {
  deepest = 0
  keys = 0
  values = 0
  costly = 0
  #levels = 0
  #isInText = false
  #isEscaped = false

  look(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0
      if (byte >= FIRST_NOT_ASCII) this.costly++
      if (this.#isInText) {
        if (this.#isEscaped) this.#isEscaped = false
        else if (byte === BACKSLASH) {
          this.#isEscaped = true
          this.costly += ESCAPE_BYTES
        } else if (byte === QUOTE) this.#isInText = false
      } else if (byte === QUOTE) this.#isInText = true
      else if (byte === COMMA) this.values++
      else if (byte === COLON) this.keys++
      else if (byte === OPENING_BRACKET || byte === OPENING_BRACE) {
        this.values++
        if (++this.#levels > this.deepest) this.deepest = this.#levels
      } else if (byte === CLOSING_BRACKET || byte === CLOSING_BRACE) this.#levels--
    }
  }
}
