/** Shorter matches are followed by anything. */
export const LEAST_MATCH = 3

/** Longer matches are not told apart. */
export const MOST_MATCH = 24

/** Earlier places that are looked at for one that matches longer. */
const MOST_LOOKS = 8

/** Places that one index remembers: 512 KiB. Beyond it the older half is forgotten. */
const MOST_PLACES = 65_536

/**
 * Finds where the newest tokens stood before in a text, in constant time per token: chains of the places of each three
 * tokens, the latest first.
 */
export class NgramIndex {
  /** The latest place by hash, counted from {@link #base}; 0: none. */
  #heads = new Int32Array(256)
  /** The place before each place with the same hash. */
  #before = new Int32Array(128)
  /** The place that counts as 0. */
  #base: number
  /** Places up to here are known. A place is where a token follows three others. */
  #end: number

  /** What `find` found: where the text goes on after its match, and how many tokens match. */
  place = 0
  matched = 0

  /** `from`: the first place that is of interest. */
  constructor(from = LEAST_MATCH) {
    this.#base = Math.max(from, LEAST_MATCH) - 1
    this.#end = this.#base
  }

  /** Takes in a text up to `length`, which only grows. */
  extend(text: ArrayLike<number>, length: number): void {
    // The newest token is what may follow the place before it: its own place is known with the next one.
    for (let place = this.#end + 1; place < length; place++) {
      if (place - this.#base >= MOST_PLACES) this.#forgetHalf(text, place)
      this.#add(text, place)
    }
  }

  #add(text: ArrayLike<number>, place: number): void {
    const index = place - this.#base
    if (index >= this.#before.length) this.#grow(text, place)
    const hash = hashBefore(text, place) & (this.#heads.length - 1)
    this.#before[index] = this.#heads[hash] as number
    this.#heads[hash] = index
    this.#end = place
  }

  #grow(text: ArrayLike<number>, place: number): void {
    const size = 2 * this.#before.length
    this.#before = new Int32Array(size)
    this.#heads = new Int32Array(2 * size)
    for (let known = this.#base + 1; known < place; known++) this.#add(text, known)
  }

  #forgetHalf(text: ArrayLike<number>, place: number): void {
    this.#base = place - MOST_PLACES / 2
    this.#heads.fill(0)
    for (let known = this.#base + 1; known < place; known++) this.#add(text, known)
  }

  /** Looks for the last `length` tokens of `newest` in the text; the longest of the latest matches wins. */
  find(text: ArrayLike<number>, newest: ArrayLike<number>, length: number): boolean {
    this.matched = 0
    if (length < LEAST_MATCH) return false
    let index = this.#heads[hashBefore(newest, length) & (this.#heads.length - 1)] as number
    for (let looks = 0; index > 0 && looks < MOST_LOOKS; looks++) {
      const place = index + this.#base
      const matched = matchBefore(text, place, newest, length)
      if (matched > this.matched) {
        this.matched = matched
        this.place = place
        if (matched === MOST_MATCH) break
      }
      index = this.#before[index] as number
    }
    return this.matched >= LEAST_MATCH
  }
}

/** How many tokens before both places are equal. */
function matchBefore(a: ArrayLike<number>, aPlace: number, b: ArrayLike<number>, bPlace: number): number {
  const most = Math.min(MOST_MATCH, aPlace, bPlace)
  let matched = 0
  while (matched < most && a[aPlace - 1 - matched] === b[bPlace - 1 - matched]) matched++
  return matched
}

function hashBefore(text: ArrayLike<number>, place: number): number {
  let hash = 0
  for (let at = place - LEAST_MATCH; at < place; at++) {
    hash = Math.imul(hash ^ (text[at] as number), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return hash
}
