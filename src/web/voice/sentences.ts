/** A sentence may end here, if white space follows. */
const ENDS = ".!?…"

/** A sentence ends here whatever follows. */
const FULL_ENDS = "。！？\n"

/** A shorter beginning waits for more, so that "1." or "e.g." is not a sentence. */
const SHORTEST = 12

/** A longer one is cut at a space: nobody waits for a sentence that does not end. */
const LONGEST = 400

/**
 * Cuts a growing Markdown text into sentences that can be read aloud. Code, tables and formulas are left out, and
 * marks are taken away.
 */
export class SentenceCutter {
  #rest = ""
  #isInCode = false

  /** The sentences that this piece completes. */
  add(piece: string): readonly string[] {
    this.#rest += piece
    const found: string[] = []
    for (;;) {
      const end = this.#end()
      if (end === undefined) return found
      this.#take(this.#rest.slice(0, end), found)
      this.#rest = this.#rest.slice(end)
    }
  }

  /** What is left when the text has ended. */
  end(): readonly string[] {
    const found: string[] = []
    this.#take(this.#rest, found)
    this.#rest = ""
    return found
  }

  #take(text: string, found: string[]): void {
    if (/^\s*(```|~~~)/.test(text)) {
      this.#isInCode = !this.#isInCode
      return
    }
    if (this.#isInCode || /^\s*\|/.test(text)) return
    const spoken = spokenText(text)
    if (/[\p{L}\p{N}]/u.test(spoken)) found.push(spoken)
  }

  /** Where the first sentence ends. */
  #end(): number | undefined {
    const text = this.#rest
    const isWhole = this.#isInCode || /^\s*(```|~~~|\|)/.test(text)
    for (let at = 0; at < text.length; at++) {
      const character = text.charAt(at)
      if (isWhole ? character === "\n" : FULL_ENDS.includes(character)) return at + 1
      if (isWhole) continue
      const next = text.charAt(at + 1)
      if (ENDS.includes(character) && at + 1 >= SHORTEST && /\s/.test(next)) return at + 1
      if (at >= LONGEST && character === " ") return at + 1
    }
    return undefined
  }
}

function spokenText(markdown: string): string {
  return markdown
    .replace(/!\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\$\$?[^$]*\$\$?/g, "")
    .replace(/^\s*(#{1,6}|>|[-*+]|\d+[.)])\s+/, "")
    .replace(/[*_`~]+/g, "")
    .replace(/\s+/g, " ")
    .trim()
}
