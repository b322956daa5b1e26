interface TrieNode {
  readonly next: Map<number, TrieNode>
  /** Does a control text end at this node? */
  isEnd: boolean
}

/** Whether only whole control texts are hidden, or also parts of them. */
export type Strictness = "whole texts" | "parts too"

/**
 * The texts of a model's control tokens, and a search for them in one pass. Its time depends on the length of
 * the text and of the longest control text, not on their number.
 */
export class SpecialTokens {
  readonly #root: TrieNode = { next: new Map(), isEnd: false }
  readonly #suffixes = new Set<string>()
  readonly #firstCharacter: RegExp | undefined
  #longest = 0

  constructor(texts: readonly string[]) {
    const known = texts.filter((text) => text !== "")
    for (const text of known) this.#insert(text)
    const codes = [...this.#root.next.keys()].map((code) => `\\u${code.toString(16).padStart(4, "0")}`)
    this.#firstCharacter = codes.length === 0 ? undefined : new RegExp(`[${codes.join("")}]`, "g")
  }

  /** `text` with each control text in it replaced by the result of `replace`. */
  replace(text: string, strictness: Strictness, replace: (found: string) => string): string {
    let result = ""
    let done = 0
    for (const [start, end] of this.#occurrences(text, strictness)) {
      result += text.slice(done, start) + replace(text.slice(start, end))
      done = end
    }
    return done === 0 ? text : result + text.slice(done)
  }

  /** All whole control texts in `text`, in order. */
  find(text: string): string[] {
    return [...this.#occurrences(text, "whole texts")].map(([start, end]) => text.slice(start, end))
  }

  /** Is `text` a whole control text? */
  has(text: string): boolean {
    return this.#walk(text, 0).whole === text.length
  }

  #insert(text: string): void {
    let node = this.#root
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      let next = node.next.get(code)
      if (next === undefined) node.next.set(code, (next = { next: new Map(), isEnd: false }))
      node = next
      if (index > 0) this.#suffixes.add(text.slice(index))
    }
    node.isEnd = true
    this.#longest = Math.max(this.#longest, text.length)
  }

  *#occurrences(text: string, strictness: Strictness): Iterable<readonly [start: number, end: number]> {
    if (this.#firstCharacter === undefined) return
    const wantParts = strictness === "parts too"
    let from = wantParts ? this.#endOfLeadingSuffix(text) : 0
    if (from > 0) yield [text.length - text.trimStart().length, from]
    const lastWord = text.trimEnd().length
    // A copy: the expression stores the position, and the caller may start another search meanwhile.
    const candidates = new RegExp(this.#firstCharacter)
    for (;;) {
      candidates.lastIndex = from
      const start = candidates.exec(text)?.index
      if (start === undefined) return
      const { whole, partial } = this.#walk(text, start)
      // A single character counts as a part only at the end, where the template's own text may complete it.
      const isPart = wantParts && (partial > 1 || start + partial === lastWord)
      const length = whole > 0 ? whole : isPart ? partial : 0
      if (length > 0) yield [start, start + length]
      from = start + Math.max(1, length)
    }
  }

  /** Lengths of the longest control text at `start`, and of the longest prefix of one. */
  #walk(text: string, start: number): { whole: number; partial: number } {
    let node: TrieNode | undefined = this.#root
    let whole = 0
    let depth = 0
    for (;;) {
      node = node.next.get(text.charCodeAt(start + depth))
      if (node === undefined) return { whole, partial: depth }
      depth++
      if (node.isEnd) whole = depth
    }
  }

  /**
   * If `text` begins (after white space) with the end of a control text: the offset after it; otherwise 0.
   */
  #endOfLeadingSuffix(text: string): number {
    const start = text.length - text.trimStart().length
    for (let length = Math.min(this.#longest, text.length - start); length > 0; length--) {
      if (this.#suffixes.has(text.slice(start, start + length))) return start + length
    }
    return 0
  }
}
