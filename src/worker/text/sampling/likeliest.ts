import { NotNumbers } from "../../../errors/engine"

/** The likeliest tokens of a position, found in one pass over its logits. Its arrays are used again and again. */
export class LikeliestTokens {
  // A heap of the largest so far, the least of them first.
  #ids = new Int32Array(0)
  #values = new Float32Array(0)

  /**
   * The `count` likeliest tokens that are not ruled out, in no particular order; ties at the end are cut. Valid
   * until the next call. @throws NotNumbers
   */
  find(logits: Float32Array, count: number): Int32Array {
    if (this.#ids.length < count) {
      this.#ids = new Int32Array(count)
      this.#values = new Float32Array(count)
    }
    const ids = this.#ids
    const values = this.#values
    let size = 0
    let least = Number.NEGATIVE_INFINITY
    for (let token = nextAbove(logits, 0, least); token >= 0; token = nextAbove(logits, token + 1, least)) {
      const logit = logits[token] as number // an id below the length
      if (size < count) rise(ids, values, size++, token, logit)
      else sink(ids, values, size, token, logit)
      if (size === count) least = values[0] as number // the root of the heap
    }
    return ids.subarray(0, size)
  }

  /** The same, the likeliest first. */
  findInOrder(logits: Float32Array, count: number): Int32Array {
    const found = this.find(logits, count)
    const ids = this.#ids
    const values = this.#values
    // The least moves behind those that are left, again and again.
    for (let left = found.length - 1; left > 0; left--) {
      const least = ids[0] as number
      sink(ids, values, left, ids[left] as number, values[left] as number)
      ids[left] = least
    }
    return found
  }
}

/** The likeliest token; undefined if all are ruled out. @throws NotNumbers */
export function likeliestToken(logits: Float32Array): number | undefined {
  let likeliest = -1
  for (let token = nextAbove(logits, 0, Number.NEGATIVE_INFINITY); token >= 0;) {
    likeliest = token
    token = nextAbove(logits, token + 1, logits[token] as number)
  }
  return likeliest < 0 ? undefined : likeliest
}

/**
 * The first token from `from` on whose logit is above `least`; -1 if there is none. On its own it is compiled to a loop of
 * a few instructions. llama.cpp's samplers treat NaN as any number and continue, so NaN is looked for here: it is not
 * below anything either. @throws NotNumbers
 */
function nextAbove(logits: Float32Array, from: number, least: number): number {
  let token = from
  while (token < logits.length && (logits[token] as number) <= least) token++
  if (token >= logits.length) return -1
  const logit = logits[token] as number
  if (logit !== logit || logit === Number.POSITIVE_INFINITY) throw new NotNumbers()
  return token
}

/** Adds a token at the end of a heap of `place` tokens. */
function rise(ids: Int32Array, values: Float32Array, place: number, token: number, logit: number): void {
  let at = place
  while (at > 0) {
    const above = (at - 1) >> 1
    if ((values[above] as number) <= logit) break
    values[at] = values[above] as number
    ids[at] = ids[above] as number
    at = above
  }
  values[at] = logit
  ids[at] = token
}

/** Puts a token in place of the least of a heap of `size` tokens. */
function sink(ids: Int32Array, values: Float32Array, size: number, token: number, logit: number): void {
  let at = 0
  for (;;) {
    let least = 2 * at + 1
    if (least >= size) break
    if (least + 1 < size && (values[least + 1] as number) < (values[least] as number)) least++
    if ((values[least] as number) >= logit) break
    values[at] = values[least] as number
    ids[at] = ids[least] as number
    at = least
  }
  values[at] = logit
  ids[at] = token
}

/** Steps between the least and the largest logit that are told apart. */
const STEPS = 1024

/** Those of `tokens` that are not ruled out, roughly the likeliest first: by steps, which takes no sort. */
export function byLikelihood(logits: Float32Array, tokens: readonly number[]): number[] {
  let least = Number.POSITIVE_INFINITY
  let largest = Number.NEGATIVE_INFINITY
  const left: number[] = []
  for (const token of tokens) {
    const logit = logits[token] as number // a token of the vocabulary
    if (logit === Number.NEGATIVE_INFINITY) continue
    if (logit > largest) largest = logit
    if (logit < least) least = logit
    left.push(token)
  }
  const scale = largest > least ? (STEPS - 1) / (largest - least) : 0
  const stepOf = (token: number): number => Math.floor((largest - (logits[token] as number)) * scale)
  // Where each step begins.
  const starts = new Int32Array(STEPS + 1)
  for (const token of left) starts[stepOf(token) + 1]!++
  for (let step = 0; step < STEPS; step++) starts[step + 1]! += starts[step] as number
  const ordered = new Array<number>(left.length).fill(0)
  for (const token of left) ordered[starts[stepOf(token)]!++] = token
  return ordered
}
