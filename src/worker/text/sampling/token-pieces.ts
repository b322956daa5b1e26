import type { Vocabulary } from "../../../llama/vocabulary"
import { CONTROL_UNITS } from "../markers"

const PLAIN = { addSpecial: false, parseSpecial: false }

/** Some tokenizers put a space before a text; before this it is one that can be told apart. */
const BEFORE = "\n"

/** Tokens as the units that markers are made of, see {@link CONTROL_UNITS}. */
export class TokenPieces {
  readonly #vocabulary: Pick<Vocabulary, "isControl" | "bytes" | "endsGeneration" | "tokenizeBytes">

  constructor(vocabulary: Pick<Vocabulary, "isControl" | "bytes" | "endsGeneration" | "tokenizeBytes">) {
    this.#vocabulary = vocabulary
  }

  endsGeneration(token: number): boolean {
    return this.#vocabulary.endsGeneration(token)
  }

  /** The bytes of a token, or one unit for a control token. */
  unitsOf(token: number): ArrayLike<number> {
    return this.#vocabulary.isControl(token) ? [CONTROL_UNITS + token] : this.#vocabulary.bytes(token)
  }

  /** Tokens that make up these units; undefined if there are none. */
  tokensOf(units: ArrayLike<number>): readonly number[] | undefined {
    const tokens: number[] = []
    let bytes: number[] = []
    const flush = (): boolean => {
      const found = this.#ofBytes(Uint8Array.from(bytes))
      bytes = []
      if (found !== undefined) tokens.push(...found)
      return found !== undefined
    }
    for (let at = 0; at < units.length; at++) {
      const unit = units[at] ?? 0
      if (unit < CONTROL_UNITS) bytes.push(unit)
      else if (flush()) tokens.push(unit - CONTROL_UNITS)
      else return undefined
    }
    return flush() ? tokens : undefined
  }

  #ofBytes(bytes: Uint8Array): readonly number[] | undefined {
    if (bytes.length === 0) return []
    const tokens = Array.from(this.#vocabulary.tokenizeBytes(bytes, PLAIN))
    if (this.#isText(tokens, bytes)) return tokens
    const after = Array.from(
      this.#vocabulary.tokenizeBytes(Buffer.concat([Buffer.from(BEFORE), bytes]), PLAIN),
    )
    for (let from = 1; from < after.length; from++)
      if (this.#isText(after.slice(from), bytes)) return after.slice(from)
    return undefined
  }

  #isText(tokens: readonly number[], bytes: Uint8Array): boolean {
    return Buffer.concat(tokens.map((token) => this.#vocabulary.bytes(token))).equals(bytes)
  }
}
