const INDENT = new Set([" ", "\t"])

/**
 * Watches the indentation of the lines after the first one: a line that is indented less than `least` characters, as
 * an empty one is, ends the answer where its text would begin.
 */
export class Indentation {
  readonly #least: number
  /** Characters of indentation at the start of the current line; undefined where its text has begun. */
  #indent: number | undefined

  constructor(least: number) {
    this.#least = least
  }

  /** What of `text` still belongs to the answer; `isOver`: it ended there. */
  take(text: string): { readonly text: string; readonly isOver: boolean } {
    if (this.#least === 0) return { text, isOver: false }
    for (let at = 0; at < text.length; at++) {
      const character = text.charAt(at)
      if (this.#indent !== undefined) {
        if (INDENT.has(character)) {
          this.#indent++
          continue
        }
        if (this.#indent < this.#least) return { text: text.slice(0, at), isOver: true }
      }
      this.#indent = character === "\n" ? 0 : undefined
    }
    return { text, isOver: false }
  }
}
