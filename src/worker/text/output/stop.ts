/** Text released by the matcher. */
export interface Released {
  /** Text that can no longer be part of a stop text. */
  readonly text: string
  /** The stop text that matched; everything after it is dropped. */
  readonly stop?: string
}

/** A stop text prepared for matching in a stream. */
export interface StopText {
  readonly text: string
  /**
   * The failure function of Knuth, Morris and Pratt: at each index, the length of the longest proper prefix
   * of the text that is also a suffix up to there. It allows a single pass over the stream, however often a
   * long stop text nearly matches.
   */
  readonly fallbacks: Int32Array
}

/** Prepares stop texts. Empty ones are left out: they would end every answer before it begins. */
export function prepareStops(texts: readonly string[]): readonly StopText[] {
  return [...new Set(texts)]
    .filter((text) => text !== "")
    .map((text) => ({ text, fallbacks: fallbacksOf(text) }))
}

function fallbacksOf(text: string): Int32Array {
  const fallbacks = new Int32Array(text.length)
  for (let at = 1; at < text.length; at++)
    fallbacks[at] = advance({ text, fallbacks }, fallbacks[at - 1] ?? 0, text.charCodeAt(at))
  return fallbacks
}

/**
 * Matched length of `stop` after one more UTF-16 unit, from a matched length of `matched` (not the whole
 * text).
 */
function advance({ text, fallbacks }: StopText, matched: number, unit: number): number {
  let length = matched
  while (length > 0 && text.charCodeAt(length) !== unit) length = fallbacks[length - 1] ?? 0
  return text.charCodeAt(length) === unit ? length + 1 : 0
}

/** Finds stop texts in a stream and holds back text that could become one. */
export class StopMatcher {
  readonly #stops: readonly StopText[]
  /** Matched length per stop text. */
  readonly #matched: Int32Array
  #held = ""

  constructor(stops: readonly StopText[]) {
    this.#stops = stops
    this.#matched = new Int32Array(stops.length)
  }

  push(text: string): Released {
    if (this.#stops.length === 0) return { text }
    const before = this.#held.length
    this.#held += text
    for (let at = 0; at < text.length; at++) {
      const stop = this.#take(text.charCodeAt(at))
      if (stop !== undefined) return this.#release(before + at + 1 - stop.length, stop)
    }
    return this.#release(this.#held.length - this.#possiblePrefix())
  }

  /** End of the stream: releases the text that was held back. */
  end(): string {
    const rest = this.#held
    this.#held = ""
    return rest
  }

  #release(length: number, stop?: string): Released {
    const text = this.#held.slice(0, length)
    this.#held = this.#held.slice(length)
    return stop === undefined ? { text } : { text, stop }
  }

  /** The longest stop text completed by this unit, so that token boundaries make no difference. */
  #take(unit: number): string | undefined {
    let met = ""
    this.#stops.forEach((stop, index) => {
      const matched = advance(stop, this.#matched[index] ?? 0, unit)
      this.#matched[index] = matched
      if (matched === stop.text.length && matched > met.length) met = stop.text
    })
    return met === "" ? undefined : met
  }

  /** Length of the longest suffix that is a prefix of some stop text. */
  #possiblePrefix(): number {
    return this.#matched.reduce((longest, matched) => Math.max(longest, matched), 0)
  }
}
