/** What became clear when more text arrived. */
export interface Released {
  /** Text that cannot be part of a stop text any more. */
  readonly text: string
  /** The stop text that was met; nothing after it counts. */
  readonly stop?: string
}

/** Finds stop texts in a stream and holds back whatever could become one. */
export class StopMatcher {
  readonly #stops: readonly string[]
  readonly #longest: number
  #held = ""

  constructor(stops: readonly string[]) {
    this.#stops = stops
    this.#longest = Math.max(0, ...stops.map((stop) => stop.length))
  }

  push(text: string): Released {
    if (this.#longest === 0) return { text }
    const searchFrom = Math.max(0, this.#held.length - this.#longest + 1)
    this.#held += text
    const met = this.#earliest(searchFrom)
    if (met !== undefined) return this.#release(met.at, met.stop)
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

  /** The stop text that is complete first, the longest of several: so it does not matter where tokens end. */
  #earliest(from: number): { at: number; stop: string } | undefined {
    let earliest: { at: number; stop: string } | undefined
    for (const stop of this.#stops) {
      const at = this.#held.indexOf(stop, from)
      if (at < 0) continue
      const sooner = earliest === undefined ? -1 : at + stop.length - (earliest.at + earliest.stop.length)
      if (earliest === undefined || sooner < 0 || (sooner === 0 && at < earliest.at)) earliest = { at, stop }
    }
    return earliest
  }

  /** Length of the longest tail of the held text that begins some stop text. */
  #possiblePrefix(): number {
    for (let length = Math.min(this.#held.length, this.#longest - 1); length > 0; length--) {
      const tail = this.#held.slice(-length)
      if (this.#stops.some((stop) => stop.startsWith(tail))) return length
    }
    return 0
  }
}
