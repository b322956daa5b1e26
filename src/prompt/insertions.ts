import { randomDigits } from "./special-token-escaper"

const INDEX_DIGITS = 6

/**
 * Texts that are put into messages with markers of their own, which a model reads as tokens: they stand in the messages
 * as digits while the template runs, and everything else in the messages is escaped.
 */
export class Insertions {
  readonly #nonce = randomDigits()
  readonly #texts: string[] = []

  /** What to put into a message in place of `text`. */
  add(text: string): string {
    this.#texts.push(text)
    return this.#nonce + String(this.#texts.length - 1).padStart(INDEX_DIGITS, "0")
  }

  fill(rendered: string): string {
    if (this.#texts.length === 0) return rendered
    const [first = "", ...others] = rendered.split(this.#nonce)
    const filled = others.map(
      (part) => (this.#texts[Number(part.slice(0, INDEX_DIGITS))] ?? "") + part.slice(INDEX_DIGITS),
    )
    return first + filled.join("")
  }
}
