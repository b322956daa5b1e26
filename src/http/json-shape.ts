import { InvalidRequest } from "../errors"
import { breathe } from "../lib/breathe"
import { JSON_SHAPE } from "../limits"

/** Bytes that are looked at in one go: some 2 ms. */
const SLICE_BYTES = 512 * 1024

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPENING_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSING_BRACKET = 0x5d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/**
 * Looks at how deep and into how many pieces a JSON text is divided, which is what its parsing costs. The parser itself
 * goes on to the end, and nothing else runs meanwhile. Whether it is JSON at all is the parser's matter.
 * @throws InvalidRequest where it is more than {@link JSON_SHAPE}
 */
export async function checkJsonShape(bytes: Uint8Array): Promise<void> {
  const shape = new ShapeCounter()
  for (let start = 0; start < bytes.length; start += SLICE_BYTES) {
    if (start > 0) await breathe()
    shape.look(bytes, start, Math.min(bytes.length, start + SLICE_BYTES))
  }
}

class ShapeCounter {
  #depth = 0
  #keys = 0
  #values = 0
  #isInText = false
  #isEscaped = false

  look(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at++) {
      const byte = bytes[at]
      if (this.#isInText) {
        if (this.#isEscaped) this.#isEscaped = false
        else if (byte === BACKSLASH) this.#isEscaped = true
        else if (byte === QUOTE) this.#isInText = false
      } else if (byte === QUOTE) this.#isInText = true
      else if (byte === COMMA) this.#values++
      else if (byte === COLON) this.#keys++
      else if (byte === OPENING_BRACKET || byte === OPENING_BRACE) {
        this.#values++
        if (++this.#depth > JSON_SHAPE.depth)
          throw tooMuch(`is not valid JSON: it is nested more than ${JSON_SHAPE.depth} levels deep`)
      } else if (byte === CLOSING_BRACKET || byte === CLOSING_BRACE) this.#depth--
    }
    if (this.#keys > JSON_SHAPE.keys) throw tooMuch(`has more than ${JSON_SHAPE.keys} keys`)
    if (this.#values > JSON_SHAPE.values) throw tooMuch(`has more than ${JSON_SHAPE.values} values`)
  }
}

function tooMuch(what: string): InvalidRequest {
  return new InvalidRequest(`the request body ${what}`)
}
