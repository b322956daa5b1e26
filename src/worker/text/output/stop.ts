/** What became clear when more text arrived. */
export interface Released {
  /** Text that cannot be part of a stop text any more. */
  readonly text: string
  /** The stop text that was met; nothing after it counts. */
  readonly stop?: string
}

/** A stop text, ready to be looked for in a stream. */
export interface StopText {
  readonly text: string
  /**
   * At each place the length of the longest beginning of the text that also ends there, the text up to there left out
   * (the failure function of Knuth, Morris and Pratt). With it a stream is searched in one pass, however often a long
   * stop text nearly comes.
   */
  readonly fallbacks: Int32Array
}

/** Texts to end at. An empty one would end every answer before it began, and is left out. */
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

/** How much of `stop` has come with one more UTF-16 unit, where `matched` of it had come before (not all). */
function advance({ text, fallbacks }: StopText, matched: number, unit: number): number {
  let length = matched
  while (length > 0 && text.charCodeAt(length) !== unit) length = fallbacks[length - 1] ?? 0
  return text.charCodeAt(length) === unit ? length + 1 : 0
}

/** Finds stop texts in a stream and holds back whatever could become one. */
export class StopMatcher {
  readonly #stops: readonly StopText[]
  /** How much of each has come. */
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

  /** The end of the stream: what was held back is text after all. */
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

  /** The stop text that is complete with this unit, the longest of several: so it does not matter where tokens end. */
  #take(unit: number): string | undefined {
    let met = ""
    this.#stops.forEach((stop, index) => {
      const matched = advance(stop, this.#matched[index] ?? 0, unit)
      this.#matched[index] = matched
      if (matched === stop.text.length && matched > met.length) met = stop.text
    })
    return met === "" ? undefined : met
  }

  /** Length of the longest tail of the text that begins some stop text. */
  #possiblePrefix(): number {
    return this.#matched.reduce((longest, matched) => Math.max(longest, matched), 0)
  }
}
