/** An instruction as written; its name may be unknown. */
export interface Statement {
  /** As written. */
  readonly word: string
  /** Line of its start, counted from 1. */
  readonly line: number
  /** The parameter's name or the message's role, for instructions that have one; empty if missing. */
  readonly key?: string
  /** Without surrounding quotes. */
  readonly value: string
  readonly isQuoted: boolean
}

/** An error in a Modelfile and its position. */
export interface Problem {
  /** Counted from 1; absent if no single line is at fault. */
  readonly line?: number
  readonly message: string
}

/** Instructions whose value begins with a key. */
const KEYED: ReadonlySet<string> = new Set(["parameter", "message"])

/**
 * Splits a Modelfile into instructions: a word, a space or tab, and a value. The value is the rest of the
 * line, or a text in `"` or `"""` that continues until a line ends with the same quotes. There are no
 * escapes. A `#` begins a comment only where an instruction could begin.
 */
export function cutStatements(text: string): {
  readonly statements: readonly Statement[]
  readonly problems: readonly Problem[]
} {
  const lexer = new Lexer(text)
  lexer.run()
  return { statements: lexer.statements, problems: lexer.problems }
}

class Lexer {
  readonly statements: Statement[] = []
  readonly problems: Problem[] = []
  readonly #text: string
  #at = 0
  #line = 1

  constructor(text: string) {
    this.#text = text
  }

  run(): void {
    while (this.#skipToInstruction()) {
      const line = this.#line
      const word = this.#takeWord()
      const key = KEYED.has(word.toLowerCase()) ? this.#takeKey() : undefined
      const value = this.#takeValue(word.toLowerCase() === "parameter" ? /^[ \t]+\S/ : /^[ \t]+#/)
      if (value !== undefined)
        this.statements.push({ word, line, ...(key !== undefined && { key }), ...value })
    }
  }

  /** Skips blank lines and comments. Returns false at the end. */
  #skipToInstruction(): boolean {
    for (;;) {
      const character = this.#text[this.#at]
      if (character === undefined) return false
      if (character === "#") this.#moveTo(this.#endOfLine())
      else if (isNewline(character) || isBlank(character)) this.#moveTo(this.#at + 1)
      else return true
    }
  }

  #takeWord(): string {
    const start = this.#at
    while (this.#at < this.#text.length && !isNewline(this.#text[this.#at]) && !isBlank(this.#text[this.#at]))
      this.#at++
    return this.#text.slice(start, this.#at)
  }

  #takeKey(): string {
    this.#skipBlanks()
    return this.#takeWord()
  }

  /** `afterQuotes`: what must not follow closing quotes on the first line. */
  #takeValue(afterQuotes: RegExp): Pick<Statement, "value" | "isQuoted"> | undefined {
    this.#skipBlanks()
    const quotes = ['"""', '"'].find((mark) => this.#text.startsWith(mark, this.#at))
    if (quotes !== undefined) return this.#takeQuoted(quotes, afterQuotes)
    const start = this.#at
    this.#moveTo(this.#endOfLine())
    return { value: this.#text.slice(start, this.#at).trim(), isQuoted: false }
  }

  #takeQuoted(quotes: string, afterQuotes: RegExp): Pick<Statement, "value" | "isQuoted"> | undefined {
    const line = this.#line
    if (this.#refuseAfterQuotes(quotes, afterQuotes)) return undefined
    const start = this.#at + quotes.length
    // End of the last non-space character: trailing white space does not count.
    let last = start
    for (let at = start; at <= this.#text.length; at++) {
      const character = this.#text[at]
      if (character !== undefined && !isNewline(character)) {
        if (character.trim() !== "") last = at + 1
        continue
      }
      const end = last - quotes.length
      if (end < start || !this.#text.startsWith(quotes, end)) continue
      this.#moveTo(at)
      return { value: this.#text.slice(start, end), isQuoted: true }
    }
    const message = `unexpected end of the file: a string begins with ${quotes}, but no line after it ends with ${quotes}`
    this.problems.push({ line, message })
    this.#moveTo(this.#text.length)
    return undefined
  }

  /**
   * Rejects a line such as `PARAMETER stop "User:" # comment`. It does not end with its quotes, so by the
   * rule the text would continue on the following lines, which is never intended.
   */
  #refuseAfterQuotes(quotes: string, afterQuotes: RegExp): boolean {
    const firstLine = this.#text.slice(this.#at, this.#endOfLine()).trimEnd()
    const closing = firstLine.indexOf(quotes, quotes.length)
    if (closing === -1 || firstLine.lastIndexOf(quotes) === firstLine.length - quotes.length) return false
    const rest = firstLine.slice(closing + quotes.length)
    if (!afterQuotes.test(rest)) return false
    const advice = rest.trim().startsWith("#") ? "; a comment needs a line of its own" : ""
    this.problems.push({ line: this.#line, message: `unexpected text after the closing ${quotes}${advice}` })
    this.#moveTo(this.#endOfLine())
    return true
  }

  #skipBlanks(): void {
    while (isBlank(this.#text[this.#at])) this.#at++
  }

  #endOfLine(): number {
    let end = this.#at
    while (end < this.#text.length && !isNewline(this.#text[end])) end++
    return end
  }

  /** Counts the lines on the way; CR LF counts as one line end. */
  #moveTo(end: number): void {
    for (; this.#at < end; this.#at++) {
      const isEnd = isNewline(this.#text[this.#at])
      if (isEnd && !this.#text.startsWith("\r\n", this.#at)) this.#line++
    }
  }
}

function isNewline(character: string | undefined): boolean {
  return character === "\n" || character === "\r"
}

function isBlank(character: string | undefined): boolean {
  return character === " " || character === "\t"
}
