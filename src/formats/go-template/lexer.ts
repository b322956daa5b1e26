import { GoTemplateFault } from "./fault"

/** A token of an action, between `{{` and `}}`. */
export interface Token {
  readonly kind: "dot" | "field" | "variable" | "word" | "string" | "number" | "mark"
  /** A field without its dot, a variable without its `$`, a string without its quotes. */
  readonly text: string
  /** Preceded by white space: `.A.B` is one operand, `.A .B` are two. */
  readonly isApart: boolean
  readonly line: number
}

/**
 * Tokens of all actions, and of the actions themselves one each: hundreds in published templates. A server translates
 * them between requests, 10 µs each.
 */
const MAX_TOKENS = 16_384

export type Part =
  | { readonly type: "text"; readonly text: string; readonly line: number }
  | { readonly type: "action"; readonly tokens: readonly Token[]; readonly line: number }

/** `{{- ` and ` -}}` trim white space; the space is part of them, because `{{-3}}` is a number. */
const OPENING = /\{\{(-(?=[ \t\r\n]))?/g
const COMMENT = /[ \t\r\n]*\/\*([\s\S]*?)\*\/([ \t\r\n]+-)?\}\}/y
const CLOSING = /([ \t\r\n]+-)?\}\}/y

const SPACE = /[ \t\r\n]+/y
const MARK = /:=|[=|(),]/y
const FIELD = /\.([\p{L}_][\p{L}\p{Nd}_]*)/uy
const VARIABLE = /\$([\p{L}_][\p{L}\p{Nd}_]*)?/uy
const WORD = /[\p{L}_][\p{L}\p{Nd}_]*/uy
const NUMBER = /[+-]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)/y
const STRING = /"((?:[^"\\\n]|\\.)*)"|`([^`]*)`|'((?:[^'\\\n]|\\.)+)'/y

/**
 * Splits a Go text/template into text and actions, with trimming applied and comments removed.
 * @throws GoTemplateFault
 */
export function cutTemplate(source: string): Part[] {
  return new Lexer(source).run()
}

class Lexer {
  readonly #source: string
  readonly #parts: Part[] = []
  readonly #lines: LineCounter
  #at = 0
  #count = 0

  constructor(source: string) {
    this.#source = source
    this.#lines = new LineCounter(source)
  }

  run(): Part[] {
    let trimNext = false
    for (;;) {
      OPENING.lastIndex = this.#at
      const opening = OPENING.exec(this.#source)
      const end = opening?.index ?? this.#source.length
      let text = this.#source.slice(this.#at, end)
      if (trimNext) text = text.replace(/^[ \t\r\n]+/, "")
      if (opening?.[1] !== undefined) text = text.replace(/[ \t\r\n]+$/, "")
      if (text !== "") this.#parts.push({ type: "text", text, line: this.#lines.at(this.#at) })
      if (opening === null) return this.#parts
      this.#at = end + opening[0].length
      trimNext = this.#takeComment() ?? this.#takeAction(this.#lines.at(end))
    }
  }

  /** Whether the text after the comment is trimmed; `undefined`: not a comment. */
  #takeComment(): boolean | undefined {
    const comment = this.#match(COMMENT)
    return comment && comment[2] !== undefined
  }

  #takeAction(line: number): boolean {
    const tokens: Token[] = []
    for (;;) {
      const closing = this.#match(CLOSING)
      if (closing !== undefined) {
        this.#countOne(line)
        this.#parts.push({ type: "action", tokens, line })
        return closing[1] !== undefined
      }
      const isApart = this.#match(SPACE) !== undefined
      // The space may belong to the closing delimiter.
      if (isApart && this.#source.startsWith("}}", this.#at)) continue
      const at = this.#lines.at(this.#at)
      if (this.#at >= this.#source.length) throw new GoTemplateFault("'{{' is never closed by '}}'", line)
      this.#countOne(at)
      tokens.push({ ...this.#takeToken(at), isApart, line: at })
    }
  }

  #countOne(line: number): void {
    if (++this.#count > MAX_TOKENS)
      throw new GoTemplateFault(`the template has more than ${MAX_TOKENS} words and actions`, line)
  }

  #takeToken(line: number): Pick<Token, "kind" | "text"> {
    const string = this.#match(STRING)
    if (string !== undefined) return stringToken(string, line)
    const number = this.#match(NUMBER)
    if (number !== undefined) return { kind: "number", text: number[0].replaceAll("_", "") }
    const mark = this.#match(MARK)
    if (mark !== undefined) return { kind: "mark", text: mark[0] }
    const field = this.#match(FIELD)
    if (field !== undefined) return { kind: "field", text: field[1] ?? "" }
    const variable = this.#match(VARIABLE)
    if (variable !== undefined) return { kind: "variable", text: variable[1] ?? "" }
    const word = this.#match(WORD)
    if (word !== undefined) return { kind: "word", text: word[0] }
    if (this.#source[this.#at] !== ".")
      throw new GoTemplateFault(`unexpected ${JSON.stringify(this.#source[this.#at])} in an action`, line)
    this.#at++
    return { kind: "dot", text: "." }
  }

  #match(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at
    const match = expression.exec(this.#source) ?? undefined
    if (match !== undefined) this.#at += match[0].length
    return match
  }
}

/** Line numbers of offsets that are queried in ascending order. */
class LineCounter {
  readonly #source: string
  #at = 0
  #line = 1

  constructor(source: string) {
    this.#source = source
  }

  at(place: number): number {
    for (; this.#at < place; this.#at++) if (this.#source[this.#at] === "\n") this.#line++
    return this.#line
  }
}

function stringToken(match: RegExpExecArray, line: number): Pick<Token, "kind" | "text"> {
  const [, interpreted, raw, character] = match
  if (raw !== undefined) return { kind: "string", text: raw.replaceAll("\r", "") }
  if (interpreted !== undefined) return { kind: "string", text: unescape(interpreted, line) }
  // In Go a character constant is a number.
  return { kind: "number", text: String(unescape(character ?? "", line).codePointAt(0)) }
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
}

/**
 * Unescapes a Go string. Bytes (`\xff`) that are not characters on their own become the character of that
 * number.
 */
function unescape(text: string, line: number): string {
  return text.replace(
    /\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{3}|.)/gs,
    (whole, escape: string) => {
      const known = ESCAPES[escape]
      if (known !== undefined) return known
      const code = /^[0-7]{3}$/.test(escape)
        ? Number.parseInt(escape, 8)
        : Number.parseInt(escape.slice(1), 16)
      if (escape.length === 1 || !(code <= 0x10ffff))
        throw new GoTemplateFault(`unknown escape '${whole}'`, line)
      return String.fromCodePoint(code)
    },
  )
}
