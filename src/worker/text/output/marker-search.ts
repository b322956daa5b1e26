import { advance, CONTROL_UNITS, type UnitPattern } from "../markers"

/** Finds a marker in a stream of text and control tokens, and holds back what could become one. */
export class MarkerSearch {
  readonly #marker: UnitPattern
  /** Its first character; empty if it begins with a control token. */
  readonly #first: string
  /** The text of each unit that is held back: of as many as are matched. */
  #held: string[] = []

  constructor(marker: UnitPattern) {
    this.#marker = marker
    const [first = 0] = marker.units
    this.#first = first < CONTROL_UNITS ? String.fromCharCode(first) : ""
  }

  /** Looks at `text` up to the end of the marker. `end`: where that is; -1: it has not ended. */
  push(text: string): { readonly released: string; readonly end: number } {
    let released = ""
    // Where the text that was not looked at yet, or is not held, begins.
    let from = 0
    if (this.#held.length === 0) from = this.#firstIn(text, 0)
    released = text.slice(0, from)
    for (let at = from; at < text.length; at++) {
      released += this.#take(text.charCodeAt(at), text.charAt(at))
      if (this.#isComplete) return { released, end: this.#reset(at + 1) }
      if (this.#held.length > 0) continue
      const next = this.#firstIn(text, at + 1)
      released += text.slice(at + 1, next)
      at = next - 1
    }
    return { released, end: -1 }
  }

  /** The same for a control token, whose text is `name`. */
  control(token: number, name: string): { readonly released: string; readonly isEnd: boolean } {
    const released = this.#take(CONTROL_UNITS + token, name)
    const isEnd = this.#isComplete
    if (isEnd) this.#reset(0)
    return { released, isEnd }
  }

  /** The end of the stream: what was held back. */
  end(): string {
    const rest = this.#held.join("")
    this.#held = []
    return rest
  }

  get #isComplete(): boolean {
    return this.#held.length === this.#marker.units.length
  }

  #reset(end: number): number {
    this.#held = []
    return end
  }

  /** Returns what need not be held back any longer. */
  #take(unit: number, text: string): string {
    const matched = advance(this.#marker, this.#held.length, unit)
    this.#held.push(text)
    return this.#held.splice(0, this.#held.length - matched).join("")
  }

  /** Where the marker could begin. */
  #firstIn(text: string, from: number): number {
    const at = this.#first === "" ? -1 : text.indexOf(this.#first, from)
    return at === -1 ? text.length : at
  }
}
