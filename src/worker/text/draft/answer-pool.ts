import { NgramIndex } from "./ngram-index"

/** Tokens after which a part of the pool is full; there are two, and the older one is forgotten then. */
const PART_TOKENS = 16_384

/** Those who share a cache that are remembered; the one that was least recently used is forgotten. */
const MOST_KEYS = 16

/** How much of the prompt's end is kept with an answer, to find its beginning by. */
const PROMPT_TAIL = 24

/** Between answers: no token. */
const END = -1

interface Part {
  readonly tokens: number[]
  readonly index: NgramIndex
}

interface Found {
  readonly text: readonly number[]
  readonly place: number
  readonly matched: number
}

/** What a model answered lately, apart by cache key: what one client's answers are guessed from is never another's. */
export class AnswerPool {
  /** The newest part last. By key, most recently used last. */
  readonly #parts = new Map<string, readonly Part[]>()

  /** Remembers an answer, which begins at `start` of `tokens`. */
  add(key: string, tokens: readonly number[], start: number): void {
    if (tokens.length === start) return
    const parts = this.#touch(key) ?? [newPart()]
    const newest = parts.at(-1)
    const isFull = newest === undefined || newest.tokens.length >= PART_TOKENS
    const part = isFull ? newPart() : newest
    const from = Math.max(0, start - PROMPT_TAIL)
    // Of an answer that is longer than a part, its end.
    for (let at = Math.max(from, tokens.length - PART_TOKENS); at < tokens.length; at++)
      part.tokens.push(tokens[at] as number)
    part.tokens.push(END)
    part.index.extend(part.tokens, part.tokens.length)
    this.#parts.set(key, isFull ? [...parts.slice(-1), part] : parts)
    for (const oldest of this.#parts.keys()) {
      if (this.#parts.size <= MOST_KEYS) break
      this.#parts.delete(oldest)
    }
  }

  /** The longest of the latest matches of the last `length` tokens of `newest`, if it is longer than `longerThan`. */
  find(key: string, newest: readonly number[], length: number, longerThan: number): Found | undefined {
    let found: Found | undefined
    for (const { tokens, index } of this.#parts.get(key) ?? []) {
      if (!index.find(tokens, newest, length)) continue
      const { place, matched } = index
      if (matched > longerThan && matched >= (found?.matched ?? 0)) found = { text: tokens, place, matched }
    }
    return found
  }

  #touch(key: string): readonly Part[] | undefined {
    const parts = this.#parts.get(key)
    if (parts === undefined) return undefined
    this.#parts.delete(key)
    this.#parts.set(key, parts)
    return parts
  }
}

function newPart(): Part {
  return { tokens: [], index: new NgramIndex() }
}
