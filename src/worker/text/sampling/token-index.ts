import type { Vocabulary } from "../../../llama/vocabulary"

const BYTES = 256

/** Keys of one first byte: none after it, or one of 256. */
const KEYS = BYTES + 1

/** A {@link TokenIndex} on its way to another thread. */
export interface TokenIndexShare {
  readonly tokens: Int32Array
  readonly starts: Int32Array
  readonly others: Int32Array
}

/** Tells bytes that may come next. */
export type ByteSet = Uint8Array

/** By their first two bytes, the tokens of a vocabulary. */
export class TokenIndex {
  static readonly #known = new WeakMap<object, TokenIndex>()

  /** All tokens that have text, in order of their first two bytes. */
  readonly #tokens: Int32Array
  /** Where the tokens of each first byte and each second one begin. */
  readonly #starts: Int32Array
  /** Control tokens, and those without text. */
  readonly #others: Int32Array
  /** Tokens of one byte. */
  readonly singles: readonly number[]

  private constructor({ tokens, starts, others }: TokenIndexShare) {
    this.#tokens = tokens
    this.#starts = starts
    this.#others = others
    this.singles = Array.from({ length: BYTES }, (_, byte) => this.single(byte)).filter((token) => token >= 0)
  }

  /** The token that consists of one byte, or -1. */
  single(byte: number): number {
    const start = this.#starts[byte * KEYS] as number
    return start < (this.#starts[byte * KEYS + 1] as number) ? (this.#tokens[start] as number) : -1
  }

  /** How many tokens begin with a byte. */
  count(byte: number): number {
    return (this.#starts[(byte + 1) * KEYS] as number) - (this.#starts[byte * KEYS] as number)
  }

  /**
   * The tokens without text, and those whose first byte is in `firsts` and the second, if there is one, in that byte's set of
   * `seconds`, if there is one; in no order.
   */
  select(firsts: ByteSet, seconds: readonly (ByteSet | undefined)[]): number[] {
    const selected = Array.from(this.#others)
    for (let first = 0; first < BYTES; first++) {
      if (firsts[first] === 0) continue
      const key = first * KEYS
      const second = seconds[first]
      if (second === undefined) this.#add(selected, key, key + KEYS)
      else {
        this.#add(selected, key, key + 1)
        for (let byte = 0; byte < BYTES; byte++)
          if (second[byte] === 1) this.#add(selected, key + 1 + byte, key + 2 + byte)
      }
    }
    return selected
  }

  #add(to: number[], fromKey: number, endKey: number): void {
    const end = this.#starts[endKey] as number
    for (let at = this.#starts[fromKey] as number; at < end; at++) to.push(this.#tokens[at] as number)
  }

  /** Gives it to another thread, which uses the same memory. */
  share(): TokenIndexShare {
    return { tokens: this.#tokens, starts: this.#starts, others: this.#others }
  }

  /** Uses the index that another thread has made, if there is none yet. */
  static adopt(vocabulary: Vocabulary, share: TokenIndexShare): void {
    if (!TokenIndex.#known.has(vocabulary)) TokenIndex.#known.set(vocabulary, new TokenIndex(share))
  }

  /** Made once for each vocabulary, when it is first needed. */
  static of(vocabulary: Vocabulary): TokenIndex {
    const known = TokenIndex.#known.get(vocabulary)
    if (known !== undefined) return known
    const made = new TokenIndex(sorted(vocabulary))
    TokenIndex.#known.set(vocabulary, made)
    return made
  }
}

function sorted(vocabulary: Vocabulary): TokenIndexShare {
  const { size } = vocabulary
  const keys = new Int32Array(size)
  const starts = shared(BYTES * KEYS + 1)
  let count = 0
  for (let token = 0; token < size; token++) {
    const [first, second] = vocabulary.isControl(token) ? [] : vocabulary.bytesOnce(token)
    const key = first === undefined ? -1 : first * KEYS + (second === undefined ? 0 : second + 1)
    keys[token] = key
    if (key < 0) continue
    starts[key + 1]!++
    count++
  }
  for (let key = 0; key < BYTES * KEYS; key++) starts[key + 1]! += starts[key] as number
  const next = starts.slice()
  const tokens = shared(count)
  const others = shared(size - count)
  let other = 0
  for (let token = 0; token < size; token++) {
    const key = keys[token] as number
    if (key < 0) others[other++] = token
    else tokens[next[key]!++] = token
  }
  return { tokens, starts, others }
}

function shared(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT))
}
