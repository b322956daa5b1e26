/** A text of a request, as its number there and its tokens. */
export interface QueuedText {
  readonly index: number
  readonly tokens: Int32Array
}

/** The texts of one request that wait to be computed: the longest first. */
export class TextQueue {
  /** The shortest first, so that taking the longest is cheap. */
  readonly #texts: QueuedText[]

  constructor(texts: readonly QueuedText[]) {
    this.#texts = texts.toSorted((a, b) => a.tokens.length - b.tokens.length || b.index - a.index)
  }

  get size(): number {
    return this.#texts.length
  }

  /** Of the longest text; 0: there is none. */
  get mostTokens(): number {
    return this.#texts.at(-1)?.tokens.length ?? 0
  }

  /** Removes the longest text that has at most so many tokens. */
  take(mostTokens: number): QueuedText | undefined {
    let [from, to] = [0, this.#texts.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#texts[middle]?.tokens.length ?? 0) <= mostTokens) from = middle + 1
      else to = middle
    }
    return from === 0 ? undefined : this.#texts.splice(from - 1, 1)[0]
  }
}

/** What one decode computes. */
export interface Pack<R> {
  readonly texts: readonly (QueuedText & { readonly request: R })[]
  readonly tokens: number
}

/**
 * Chooses the texts of the next decode. The requests give one text each in turn, the first one its longest, until
 * nothing more fits: so one with few texts does not wait for one with thousands, and decodes are full.
 * @param requests in the order of their turns
 * @param tokens of all texts together; a single longer text is taken on its own
 * @param most the most texts
 */
export function packTexts<R extends { readonly waiting: TextQueue }>(
  requests: readonly R[],
  tokens: number,
  most: number,
): Pack<R> {
  const texts: (QueuedText & { readonly request: R })[] = []
  let used = 0
  for (let isAnyTaken = true; isAnyTaken && texts.length < most;) {
    isAnyTaken = false
    for (const request of requests) {
      if (texts.length >= most || used >= tokens) break
      const text = request.waiting.take(texts.length === 0 ? Number.POSITIVE_INFINITY : tokens - used)
      if (text === undefined) continue
      texts.push({ ...text, request })
      used += text.tokens.length
      isAnyTaken = true
    }
  }
  return { texts, tokens: used }
}
