import type { Vocabulary } from "../../../llama/vocabulary"

/** The most breakers that count; what a request may ask for is checked where it arrives, a file may say anything. */
const MOST_BREAKERS = 64

/** llama.cpp cuts breakers to this many bytes, and what has to follow a token to this many tokens. */
const MOST_BREAKER_BYTES = 40
const MOST_TAIL_TOKENS = 20

/** Which tokens end a repetition. Plain data, which crosses between threads and is shared by all choices of a request. */
export interface BreakerTable {
  /** For each token of the vocabulary the number of its group; 0: it is no part of a breaker. */
  readonly groups: Uint32Array
  /** For each group: do its tokens have a whole breaker in them? */
  readonly whole: readonly boolean[]
  /** For each group: what follows where its tokens begin a breaker. */
  readonly tails: readonly (readonly Int32Array[])[]
}

/** Finds breakers in a sequence of tokens. */
export class DryBreakers {
  readonly #table: BreakerTable | undefined

  /** `table`: undefined where there are none. */
  constructor(table: BreakerTable | undefined) {
    this.#table = table
  }

  /** Does the token end a repetition by itself? */
  isBreaker(token: number): boolean {
    const table = this.#table
    return table !== undefined && table.whole[table.groups[token] ?? 0] === true
  }

  /** How many tokens behind the one at `place` belong to the longest breaker that begins with it; undefined: none does. */
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

/** A breaker as bytes, and what has to follow where only its first bytes have come, worked out when it is needed. */
class Breaker {
  readonly bytes: Uint8Array
  readonly #vocabulary: Vocabulary
  readonly #tails = new Map<number, Int32Array>()

  constructor(text: string, vocabulary: Vocabulary) {
    this.bytes = new TextEncoder().encode(text).subarray(0, MOST_BREAKER_BYTES)
    this.#vocabulary = vocabulary
  }

  /** The tokens behind the first `length` bytes. */
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

/** Finds the tokens that `texts` are in, as llama.cpp does, in one pass over the vocabulary; undefined where none is. */
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

/** How a token takes part in breakers. */
interface Part {
  /** It has a whole one in it. */
  readonly isWhole: boolean
  /** Which breakers it ends with the beginning of, and how many bytes of them. */
  readonly beginnings: readonly (readonly [breaker: number, length: number])[]
}

/** Undefined where it has no part in any. */
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

/** How much of `bytes` is in `word` from `at` on: all of it, or all that the word still has; undefined: they differ. */
function matched(word: Uint8Array, at: number, bytes: Uint8Array): number | undefined {
  const length = Math.min(bytes.length, word.length - at)
  for (let index = 1; index < length; index++) if (word[at + index] !== bytes[index]) return undefined
  return length
}
