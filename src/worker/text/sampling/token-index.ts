import type { Vocabulary } from "../../../llama/vocabulary"

/** No byte. */
const NONE = -1

/** By their first two bytes, the tokens of a vocabulary. */
export class TokenIndex {
  static readonly #known = new WeakMap<object, TokenIndex>()

  /** Of each token, -1 where it has none: control tokens, and those without text. */
  readonly first: Int16Array
  /** Of each token, -1 where it has none. */
  readonly second: Int16Array
  /** Of each byte, the token that consists of it alone, or -1. */
  readonly singles = new Int32Array(256).fill(NONE)
  /** How many tokens begin with each byte. */
  readonly counts = new Int32Array(256)

  private constructor(vocabulary: Vocabulary) {
    this.first = new Int16Array(vocabulary.size).fill(NONE)
    this.second = new Int16Array(vocabulary.size).fill(NONE)
    for (let token = 0; token < vocabulary.size; token++) {
      if (vocabulary.isControl(token)) continue
      const bytes = vocabulary.bytesOnce(token)
      const [first, second] = bytes
      if (first === undefined) continue
      this.first[token] = first
      this.second[token] = second ?? NONE
      this.counts[first]!++
      if (bytes.length === 1) this.singles[first] = token
    }
  }

  /** Made once for each vocabulary, when it is first needed. */
  static of(vocabulary: Vocabulary): TokenIndex {
    const known = TokenIndex.#known.get(vocabulary)
    if (known !== undefined) return known
    const made = new TokenIndex(vocabulary)
    TokenIndex.#known.set(vocabulary, made)
    return made
  }
}
