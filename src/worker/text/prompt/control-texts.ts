import type { Vocabulary } from "../../../llama/vocabulary"
import type { ResolvedMarker } from "../markers"

/** Finds the names of control tokens in markers. */
export class ControlTexts {
  readonly #ids: ReadonlyMap<string, number>
  readonly #longest: number

  constructor(vocabulary: Vocabulary) {
    const ids = new Map<string, number>()
    for (let token = 0; token < vocabulary.size; token++)
      if (vocabulary.isControl(token)) ids.set(new TextDecoder().decode(vocabulary.bytes(token)), token)
    ids.delete("")
    this.#ids = ids
    this.#longest = Math.max(0, ...[...ids.keys()].map((text) => text.length))
  }

  /** The control tokens of a text by their ids, and the texts between them. */
  resolve(text: string): ResolvedMarker {
    const parts: (string | number)[] = []
    let from = 0
    for (let at = 0; at < text.length; at++) {
      const found = this.#at(text, at)
      if (found === undefined) continue
      if (at > from) parts.push(text.slice(from, at))
      parts.push(found.token)
      from = at + found.length
      at = from - 1
    }
    return from < text.length ? [...parts, text.slice(from)] : parts
  }

  /** The control token with the longest name at this place. */
  #at(text: string, at: number): { readonly token: number; readonly length: number } | undefined {
    for (let length = Math.min(this.#longest, text.length - at); length > 0; length--) {
      const token = this.#ids.get(text.slice(at, at + length))
      if (token !== undefined) return { token, length }
    }
    return undefined
  }

  /** All control tokens that occur in `texts`. */
  in(texts: readonly string[]): readonly (readonly [text: string, token: number])[] {
    const tokens = new Set(texts.flatMap((text) => this.resolve(text)))
    return [...this.#ids].filter(([, token]) => tokens.has(token))
  }
}
