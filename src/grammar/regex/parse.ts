import { GRAMMAR_DEPTH, MOST_REPETITIONS } from "../../limits"
import { type Characters, charactersOf, complement, union } from "../characters"
import { either, type Expression, inSequence } from "./expression"

/** Why a regular expression cannot be used: a phrase. */
export class RegexError extends Error {
  /** It is a regular expression, but no grammar can say it. */
  readonly isUnsupported: boolean

  constructor(reason: string, isUnsupported: boolean) {
    super(reason)
    this.isUnsupported = isUnsupported
  }
}

const DIGITS: Characters = charactersOf([[0x30, 0x39]])

/** `\w` */
const WORD: Characters = charactersOf([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
])

/** `\s`: WhiteSpace and LineTerminator of ECMA-262. */
const SPACES: Characters = charactersOf([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
])

/** What `.` does not match. */
const LINE_ENDS: Characters = charactersOf([
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
])

const CLASSES: Readonly<Record<string, Characters>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACES,
  S: complement(SPACES),
}

const CONTROLS: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d }

/** @throws RegexError */
export function parseRegex(source: string): Expression {
  return new Parser(source).whole()
}

class Parser {
  readonly #source: readonly string[]
  #at = 0
  #depth = 0

  constructor(source: string) {
    this.#source = Array.from(source)
  }

  whole(): Expression {
    const expression = this.#choice()
    if (this.#at < this.#source.length) throw this.#wrong("an unmatched ')'")
    return expression
  }

  #choice(): Expression {
    if (++this.#depth > GRAMMAR_DEPTH)
      throw this.#wrong(`more than ${GRAMMAR_DEPTH} groups within each other`)
    const parts = [this.#sequence()]
    while (this.#takes("|")) parts.push(this.#sequence())
    this.#depth--
    return either(parts)
  }

  #sequence(): Expression {
    const parts: Expression[] = []
    for (;;) {
      const next = this.#peek()
      if (next === undefined || next === "|" || next === ")") return inSequence(parts)
      parts.push(this.#repeated(this.#atom()))
    }
  }

  #repeated(part: Expression): Expression {
    let whole = part
    const count = this.#quantifier()
    if (count !== undefined) {
      if (part.type === "begin" || part.type === "end") throw this.#wrong("a repeated anchor")
      if (count.min > count.max) throw this.#wrong("a repetition whose numbers are out of order")
      const most = count.max === Number.POSITIVE_INFINITY ? count.min : count.max
      if (most > MOST_REPETITIONS) throw new RegexError(`a repetition of more than ${MOST_REPETITIONS}`, true)
      whole = { type: "repeat", part, ...count }
      // A lazy quantifier matches the same texts.
      this.#takes("?")
    }
    return whole
  }

  #quantifier(): { readonly min: number; readonly max: number } | undefined {
    if (this.#takes("*")) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#takes("+")) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#takes("?")) return { min: 0, max: 1 }
    const [all, least = "", comma, most = ""] = /^\{(\d{1,9})(,)?(\d{1,9})?\}/.exec(this.#ahead()) ?? []
    if (all === undefined) return undefined
    this.#at += all.length
    const min = Number(least)
    return { min, max: comma === undefined ? min : most === "" ? Number.POSITIVE_INFINITY : Number(most) }
  }

  #atom(): Expression {
    const character = this.#take()
    switch (character) {
      case "^":
        return { type: "begin" }
      case "$":
        return { type: "end" }
      case ".":
        return { type: "characters", set: complement(LINE_ENDS) }
      case "(":
        return this.#group()
      case "[":
        return { type: "characters", set: this.#class() }
      case "\\":
        return { type: "characters", set: this.#escape(false) }
      case "*":
      case "+":
      case "?":
        throw this.#wrong(`'${character}' with nothing before it`)
      default:
        return { type: "characters", set: single(character) }
    }
  }

  #group(): Expression {
    if (this.#takes("?") && !this.#takes(":")) {
      const rest = this.#ahead()
      if (/^(?:<?[=!])/.test(rest)) throw new RegexError("lookaround", true)
      const name = /^<[\p{ID_Start}$_][\p{ID_Continue}$_]*>/u.exec(rest)?.[0]
      if (name === undefined) throw this.#wrong("an unknown kind of group")
      this.#at += Array.from(name).length
    }
    const inner = this.#choice()
    if (!this.#takes(")")) throw this.#wrong("a group that is not closed")
    return inner
  }

  #class(): Characters {
    const isNegated = this.#takes("^")
    const sets: Characters[] = []
    while (!this.#takes("]")) {
      const first = this.#member()
      const [from] = first
      const isRange = this.#peek() === "-" && this.#peek(1) !== "]" && this.#peek(1) !== undefined
      if (!isRange || from === undefined) {
        sets.push(first)
        continue
      }
      this.#at++
      const [to] = this.#member()
      if (!isSingle(first) || to === undefined || to[0] !== to[1])
        throw this.#wrong("a range between classes")
      if (from[0] > to[0]) throw this.#wrong("a range whose ends are out of order")
      sets.push(charactersOf([[from[0], to[0]]]))
    }
    return isNegated ? complement(union(...sets)) : union(...sets)
  }

  #member(): Characters {
    const character = this.#take()
    return character === "\\" ? this.#escape(true) : single(character)
  }

  /** The characters that an escape stands for; the backslash is read. */
  #escape(isInClass: boolean): Characters {
    const character = this.#take()
    const known = CLASSES[character]
    if (known !== undefined) return known
    const control = CONTROLS[character]
    if (control !== undefined) return charactersOf([[control, control]])
    if (character === "b" && isInClass) return charactersOf([[0x08, 0x08]])
    if (character === "b" || character === "B") throw new RegexError("word boundaries (\\b)", true)
    if (character === "p" || character === "P") throw new RegexError("Unicode properties (\\p)", true)
    if (character === "0" && !/^\d/.test(this.#ahead())) return charactersOf([[0, 0]])
    if (/^[0-9k]$/.test(character)) throw new RegexError("back references", true)
    if (character === "x") return this.#numbered(/^[0-9a-fA-F]{2}/)
    if (character === "u") return this.#unicode()
    if (character === "c") {
      const letter = this.#take()
      if (!/^[A-Za-z]$/.test(letter)) throw this.#wrong("an unknown escape")
      const code = letter.charCodeAt(0) % 32
      return charactersOf([[code, code]])
    }
    if (/^[A-Za-z]$/.test(character)) throw this.#wrong(`the unknown escape \\${character}`)
    return single(character)
  }

  #unicode(): Characters {
    const braced = /^\{([0-9a-fA-F]{1,6})\}/.exec(this.#ahead())
    if (braced !== null) {
      this.#at += braced[0].length
      return this.#codePoint(Number.parseInt(braced[1] ?? "", 16))
    }
    const pair = /^([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(this.#ahead())
    if (pair === null) return this.#numbered(/^[0-9a-fA-F]{4}/)
    this.#at += pair[0].length
    const [high, low] = [Number.parseInt(pair[1] ?? "", 16), Number.parseInt(pair[2] ?? "", 16)]
    return this.#codePoint(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
  }

  #numbered(digits: RegExp): Characters {
    const found = digits.exec(this.#ahead())?.[0]
    if (found === undefined) throw this.#wrong("an escape without its hexadecimal digits")
    this.#at += found.length
    return this.#codePoint(Number.parseInt(found, 16))
  }

  #codePoint(code: number): Characters {
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw this.#wrong("an escape of no character")
    return charactersOf([[code, code]])
  }

  #peek(ahead = 0): string | undefined {
    return this.#source[this.#at + ahead]
  }

  /** The next few characters: enough for any token that is read by an expression. */
  #ahead(): string {
    return this.#source.slice(this.#at, this.#at + 64).join("")
  }

  #takes(character: string): boolean {
    const isNext = this.#peek() === character
    if (isNext) this.#at++
    return isNext
  }

  #take(): string {
    const character = this.#peek()
    if (character === undefined) throw this.#wrong("an end where more is expected")
    this.#at++
    return character
  }

  #wrong(what: string): RegexError {
    return new RegexError(`${what} at character ${this.#at}`, false)
  }
}

function single(character: string): Characters {
  const code = character.codePointAt(0) ?? 0
  return charactersOf([[code, code]])
}

function isSingle(set: Characters): boolean {
  return set.length === 1 && set[0]?.[0] === set[0]?.[1]
}
