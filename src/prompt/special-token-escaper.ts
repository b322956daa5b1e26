import type { PromptPiece } from "./piece"
import type { SpecialTokens, Strictness } from "./special-tokens"

/** Decimal digits of the random part, too many to guess within one request. */
const NONCE_DIGITS = 20
/** Enough for every distinct control text. */
const INDEX_DIGITS = 6
const MAX_STAND_INS = 10 ** INDEX_DIGITS

/**
 * Replaces the texts of control tokens in messages by placeholders before the template runs, and restores
 * them in its output. Placeholders are digits, because these pass unchanged through everything that templates
 * do to text (trimming, changing case, JSON).
 */
export class SpecialTokenEscaper {
  readonly #specialTokens: SpecialTokens
  readonly #strictness: Strictness
  readonly #nonce = randomDigits()
  readonly #hidden: string[] = []
  readonly #placeholders = new Map<string, string>()
  #hasParts = false
  /** Marks the end of an unfinished message; occurs in no text. */
  readonly endMark = randomDigits()

  constructor(controls: SpecialTokens, strictness: Strictness) {
    this.#specialTokens = controls
    this.#strictness = strictness
  }

  /** Was any part of a control text escaped, as opposed to a whole one? */
  get hasParts(): boolean {
    return this.#hasParts
  }

  /** Escapes every string in plain data; keys are not changed. */
  escape(value: unknown): unknown {
    return this.#escape(value, (key) => key)
  }

  /** Escapes every string in plain data, and the keys. */
  escapeWithKeys(value: unknown): unknown {
    return this.#escape(value, (key) => this.escapeText(key))
  }

  #escape(value: unknown, escapeKey: (key: string) => string): unknown {
    if (typeof value === "string") return this.escapeText(value)
    if (Array.isArray(value)) return value.map((item: unknown) => this.#escape(item, escapeKey))
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [escapeKey(key), this.#escape(item, escapeKey)]),
    )
  }

  escapeText(text: string): string {
    return this.#specialTokens.replace(text, this.#strictness, (found) => this.#placeholderFor(found))
  }

  /** Splits the rendered text at escaped texts; the pieces contain the original text. */
  unescape(rendered: string): PromptPiece[] {
    const [first = "", ...others] = rendered.split(this.#nonce)
    const pieces: PromptPiece[] = [{ text: first, special: true }]
    for (const part of others) {
      pieces.push({ text: this.#hidden[Number(part.slice(0, INDEX_DIGITS))] ?? "", special: false })
      pieces.push({ text: part.slice(INDEX_DIGITS), special: true })
    }
    return pieces.filter((piece) => piece.text !== "")
  }

  #placeholderFor(text: string): string {
    const known = this.#placeholders.get(text)
    if (known !== undefined) return known
    if (this.#hidden.length === MAX_STAND_INS) throw new Error("too many different control texts")
    const placeholder = this.#nonce + String(this.#hidden.length).padStart(INDEX_DIGITS, "0")
    this.#hidden.push(text)
    this.#hasParts ||= !this.#specialTokens.has(text)
    this.#placeholders.set(text, placeholder)
    return placeholder
  }
}

/** Too many digits to guess; they pass unchanged through everything that templates do to text. */
export function randomDigits(): string {
  const numbers = crypto.getRandomValues(new Uint32Array(NONCE_DIGITS))
  // The first digit is not 0: a template that converts digits to a number would drop it.
  return Array.from(numbers, (value, index) => (index === 0 ? 1 + (value % 9) : value % 10)).join("")
}
