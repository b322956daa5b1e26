export type FoundLiteral =
  | { readonly at: number; readonly literal: string }
  /** From `at` on, the text may begin one of them. */
  | { readonly at: number; readonly literal: undefined }

/** Looks for the first of several texts, in one pass. */
export class LiteralSearch {
  readonly #byFirst = new Map<number, string[]>()

  constructor(literals: readonly string[]) {
    for (const literal of [...new Set(literals)].sort((a, b) => b.length - a.length)) {
      if (literal === "") continue
      const known = this.#byFirst.get(literal.charCodeAt(0))
      if (known === undefined) this.#byFirst.set(literal.charCodeAt(0), [literal])
      else known.push(literal)
    }
  }

  /** `isEnded`: nothing follows `text`, so that a beginning is none. The longest of those at one place. */
  find(text: string, from: number, isEnded: boolean): FoundLiteral | undefined {
    for (let at = from; at < text.length; at++) {
      const candidates = this.#byFirst.get(text.charCodeAt(at))
      if (candidates === undefined) continue
      for (const literal of candidates) {
        if (text.startsWith(literal, at)) return { at, literal }
        const left = text.length - at
        if (!isEnded && left < literal.length && literal.startsWith(text.slice(at)))
          return { at, literal: undefined }
      }
    }
    return undefined
  }
}
