import type { Vocabulary } from "../../../llama/vocabulary"

/** Maximum number of breakers used. Requests are limited on arrival, but a file may contain any number. */
const MOST_BREAKERS = 64

/** llama.cpp's limits: bytes per breaker, and tokens that must follow a token. */
const MOST_BREAKER_BYTES = 40
const MOST_TAIL_TOKENS = 20

/** Which tokens end a repetition. Plain data that can cross threads; shared by all choices of a request. */
export interface BreakerTable {
  /** Group of each token of the vocabulary; 0: not part of a breaker. */
  readonly groups: Uint32Array
  /** Per group: do its tokens contain a whole breaker? */
  readonly whole: readonly boolean[]
  /** Per group: the tokens that must follow if its tokens end with the start of a breaker. */
  readonly tails: readonly (readonly Int32Array[])[]
}

/** Finds breakers in a sequence of tokens. */
export class DryBreakers {
  readonly #table: BreakerTable | undefined

  /** `table`: undefined if there are no breakers. */
  constructor(table: BreakerTable | undefined) {
    this.#table = table
  }

  /** Does the token end a repetition by itself? */
  isBreaker(token: number): boolean {
    const table = this.#table
    return table !== undefined && table.whole[table.groups[token] ?? 0] === true
  }

  /**
   * Number of tokens after `place` that belong to the longest breaker starting there; undefined if none does.
   */
  longestAt(tokens: readonly number[], place: number): number | undefined {
    const table = this.#table
    const group = table?.groups[tokens[place] ?? 0] ?? 0
    if (table === undefined || group === 0) return undefined
    const follows = (tail: Int32Array): boolean =>
      tail.length < tokens.length - place && tail.every((token, index) => tokens[place + 1 + index] === token)
    const lengths = (table.tails[group] ?? []).filter(follows).map((tail) => tail.length)
    if (table.whole[group] === true) lengths.push(0)
    return lengths.length === 0 ? undefined : Math.max(...lengths)
  }
}

/** A breaker as bytes. The tokens that complete a partial match are computed on demand. */
class Breaker {
  readonly bytes: Uint8Array
  readonly #vocabulary: Vocabulary
  readonly #tails = new Map<number, Int32Array>()

  constructor(text: string, vocabulary: Vocabulary) {
    this.bytes = new TextEncoder().encode(text).subarray(0, MOST_BREAKER_BYTES)
    this.#vocabulary = vocabulary
  }

  /** The tokens after the first `length` bytes. */
  tail(length: number): Int32Array {
    const known = this.#tails.get(length)
    if (known !== undefined) return known
    const tokens = this.#vocabulary.tokenizeBytes(this.bytes.subarray(length), {
      addSpecial: false,
      parseSpecial: false,
    })
    const tail = tokens.subarray(0, MOST_TAIL_TOKENS)
    this.#tails.set(length, tail)
    return tail
  }
}

/**
 * Finds the tokens that contain parts of `texts`, as llama.cpp does, in one pass over the vocabulary;
 * undefined if none does.
 */
export function findBreakers(texts: readonly string[], vocabulary: Vocabulary): BreakerTable | undefined {
  const breakers = [...new Set(texts)]
    .filter((text) => text !== "")
    .slice(0, MOST_BREAKERS)
    .map((text) => new Breaker(text, vocabulary))
  if (breakers.length === 0) return undefined
  const byFirstByte = Map.groupBy(breakers.keys(), (number) => breakers[number]?.bytes[0] ?? 0)
  const numbers = new Map<string, number>()
  const groups = new Uint32Array(vocabulary.size)
  const whole: boolean[] = [false]
  const tails: Int32Array[][] = [[]]
  for (let token = 0; token < vocabulary.size; token++) {
    const part = partOf(vocabulary.detokenized(token), breakers, byFirstByte)
    if (part === undefined) continue
    const key = `${part.isWhole} ${part.beginnings.join(" ")}`
    const group = numbers.get(key) ?? whole.length
    groups[token] = group
    if (group < whole.length) continue
    numbers.set(key, group)
    const behind = part.beginnings.flatMap(([number, length]) => breakers[number]?.tail(length) ?? [])
    whole.push(part.isWhole || behind.some(({ length }) => length === 0))
    tails.push(behind)
  }
  return { groups, whole, tails }
}

/** The breakers and parts of breakers in a token. */
interface Part {
  /** It contains a whole breaker. */
  readonly isWhole: boolean
  /** The breakers whose first `length` bytes it ends with. */
  readonly beginnings: readonly (readonly [breaker: number, length: number])[]
}

/** Undefined if it contains no part of any breaker. */
function partOf(
  word: Uint8Array,
  breakers: readonly Breaker[],
  byFirstByte: ReadonlyMap<number, readonly number[]>,
): Part | undefined {
  const whole: number[] = []
  const beginnings: (readonly [number, number])[] = []
  for (let at = 0; at < word.length; at++) {
    for (const number of byFirstByte.get(word[at] ?? 0) ?? []) {
      const { bytes } = breakers[number] ?? { bytes: word }
      const length = matched(word, at, bytes)
      if (length === bytes.length) whole.push(number)
      else if (length !== undefined) beginnings.push([number, length])
    }
  }
  if (whole.length + beginnings.length === 0) return undefined
  return { isWhole: whole.length > 0, beginnings: beginnings.filter(([number]) => !whole.includes(number)) }
}

/**
 * How many bytes of `bytes` match `word` from `at`: all of them, or up to the end of the word; undefined on a
 * mismatch.
 */
function matched(word: Uint8Array, at: number, bytes: Uint8Array): number | undefined {
  const length = Math.min(bytes.length, word.length - at)
  for (let index = 1; index < length; index++) if (word[at + index] !== bytes[index]) return undefined
  return length
}
