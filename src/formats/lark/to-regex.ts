import { LarkError } from "./lex"
import { type LarkGrammar, type LarkNode, parseLark } from "./parse"

export { LarkError }

/** Characters of the expression. */
const LONGEST = 16_384

/** Lark's own terminals, as regular expressions (ECMA-262). */
const COMMON: Readonly<Record<string, string>> = {
  DIGIT: "[0-9]",
  HEXDIGIT: "[0-9a-fA-F]",
  INT: "[0-9]+",
  SIGNED_INT: "[+-]?[0-9]+",
  DECIMAL: "(?:[0-9]+\\.[0-9]*|\\.[0-9]+)",
  FLOAT: "(?:[0-9]+[eE][+-]?[0-9]+|(?:[0-9]+\\.[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?)",
  NUMBER: "(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
  SIGNED_FLOAT: "[+-]?(?:[0-9]+[eE][+-]?[0-9]+|(?:[0-9]+\\.[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?)",
  SIGNED_NUMBER: "[+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
  ESCAPED_STRING: '"(?:[^"\\\\\\n]|\\\\[^\\n])*"',
  LCASE_LETTER: "[a-z]",
  UCASE_LETTER: "[A-Z]",
  LETTER: "[A-Za-z]",
  WORD: "[A-Za-z]+",
  CNAME: "[_A-Za-z][_A-Za-z0-9]*",
  WS_INLINE: "[ \\t]+",
  WS: "[ \\t\\f\\r\\n]+",
  CR: "\\r",
  LF: "\\n",
  NEWLINE: "(?:\\r?\\n)+",
  SH_COMMENT: "#[^\\n]*",
  CPP_COMMENT: "//[^\\n]*",
  SQL_COMMENT: "--[^\\n]*",
}

/**
 * A regular expression of the texts that a grammar in Lark's notation describes, from its rule `start`. Rules that
 * contain themselves can be translated where they only repeat something.
 * @throws LarkError if it cannot be translated
 */
export function regexOfLark(source: string): string {
  return new Translator(parseLark(source)).whole()
}

class Translator {
  readonly #grammar: LarkGrammar
  readonly #done = new Map<string, string>()
  readonly #open = new Set<string>()
  readonly #between: string

  constructor(grammar: LarkGrammar) {
    this.#grammar = grammar
    const ignored = grammar.ignored.map((node) => this.#write(node, false))
    this.#between = ignored.length === 0 ? "" : `(?:${ignored.join("|")})*`
  }

  whole(): string {
    return this.#named("start") + this.#between
  }

  /** `isRule`: what is ignored may stand before each terminal. */
  #write(node: LarkNode, isRule: boolean): string {
    switch (node.type) {
      case "text":
        return this.#terminal(isRule, ofText(node.text, node.flags))
      case "expression":
        return this.#terminal(isRule, ofExpression(node.text, node.flags))
      case "range":
        return this.#terminal(isRule, `[${ofRange(node.from)}-${ofRange(node.to)}]`)
      case "reference": {
        const isTerminal = /^_*[A-Z]/.test(node.name)
        const text = this.#named(node.name)
        return isRule && isTerminal ? this.#terminal(true, text) : text
      }
      case "either":
        return `(?:${joined(
          node.parts.map((part) => this.#write(part, isRule)),
          "|",
        )})`
      case "sequence":
        return joined(
          node.parts.map((part) => this.#write(part, isRule)),
          "",
        )
      case "repeat":
        return `(?:${this.#write(node.part, isRule)})${quantifier(node.min, node.max)}`
      default:
        return node satisfies never
    }
  }

  #terminal(isRule: boolean, text: string): string {
    return isRule ? this.#between + text : text
  }

  #named(name: string): string {
    const known = this.#done.get(name)
    if (known !== undefined) return known
    const node = this.#grammar.rules.get(name)
    if (node === undefined) return ofLibrary(this.#grammar.imports.get(name), name)
    if (this.#open.has(name)) throw new LarkError(`its rule '${name.slice(0, 40)}' contains itself`)
    this.#open.add(name)
    const text = this.#group(this.#write(withoutRepetition(name, node), !/^_*[A-Z]/.test(name)))
    this.#open.delete(name)
    this.#done.set(name, text)
    return text
  }

  #group(text: string): string {
    if (text.length > LONGEST) throw new LarkError("it is too large without its rules")
    return `(?:${text})`
  }
}

/** `list: item | list "," item` is `item ("," item)*`; the other way round likewise. */
function withoutRepetition(name: string, node: LarkNode): LarkNode {
  const isSelf = (part: LarkNode | undefined) => part?.type === "reference" && part.name === name
  const choices = (node.type === "either" ? node.parts : [node]).map((choice) =>
    choice.type === "sequence" ? choice.parts : [choice],
  )
  const ends = choices.filter((parts) => !isSelf(parts[0]) && !isSelf(parts.at(-1)))
  const left = choices.filter((parts) => isSelf(parts[0]))
  const right = choices.filter((parts) => !isSelf(parts[0]) && isSelf(parts.at(-1)))
  if (ends.length === 0 || left.length > 0 === right.length > 0) return node
  const either = (lists: readonly (readonly LarkNode[])[]): LarkNode => ({
    type: "either",
    parts: lists.map((parts) => ({ type: "sequence", parts })),
  })
  const repeated: LarkNode = {
    type: "repeat",
    part: either([...left.map((parts) => parts.slice(1)), ...right.map((parts) => parts.slice(0, -1))]),
    min: 0,
    max: Number.POSITIVE_INFINITY,
  }
  return { type: "sequence", parts: left.length > 0 ? [either(ends), repeated] : [repeated, either(ends)] }
}

function ofLibrary(imported: string | undefined, name: string): string {
  const text = imported !== undefined && Object.hasOwn(COMMON, imported) ? COMMON[imported] : undefined
  if (text === undefined) throw new LarkError(`'${(imported ?? name).slice(0, 40)}' is not defined`)
  return text
}

/** @throws LarkError before the text becomes too long to be made */
function joined(parts: readonly string[], between: string): string {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  if (length > LONGEST) throw new LarkError("it is too large without its rules")
  return parts.join(between)
}

function quantifier(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return min === 0 ? "*" : min === 1 ? "+" : `{${min},}`
  if (min === 0 && max === 1) return "?"
  return min === max ? `{${min}}` : `{${min},${max}}`
}

function ofText(text: string, flags: string): string {
  const characters = Array.from(unescaped(text))
  if (flags === "") return characters.map(escaped).join("")
  return characters
    .map((character) => {
      const forms = [...new Set([character.toLowerCase(), character.toUpperCase()])]
      return forms.length > 1 && forms.every((form) => Array.from(form).length === 1)
        ? `[${forms.map(escaped).join("")}]`
        : escaped(character)
    })
    .join("")
}

function ofRange(text: string): string {
  const [only, ...more] = Array.from(unescaped(text))
  if (only === undefined || more.length > 0) throw new LarkError("a range is not between two characters")
  return only === "-" ? "\\-" : escaped(only)
}

/** @throws LarkError if it is no regular expression here */
function ofExpression(source: string, flags: string): string {
  if (/[ix]/.test(flags)) throw new LarkError(`an expression has the flag ${flags}`)
  const text = source.replaceAll("\\/", "/")
  try {
    void new RegExp(text)
  } catch {
    throw new LarkError(`/${source.slice(0, 40)}/ is written in another language's notation`)
  }
  // Within brackets a dot is one already.
  const dotted = flags.includes("s") ? text.replace(/\\.|\[(?:\\.|[^\]])*\]|\./gs, dotOf) : text
  return `(?:${dotted})`
}

function dotOf(piece: string): string {
  return piece === "." ? "[\\s\\S]" : piece
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v" }

/** A text as Python reads it. */
function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs,
    (whole, two?: string, four?: string, eight?: string, one?: string) => {
      const digits = two ?? four ?? eight
      if (digits === undefined) return ESCAPES[one ?? ""] ?? one ?? whole
      const code = Number.parseInt(digits, 16)
      if (code > 0x10ffff) throw new LarkError(`${whole} is no character`)
      return String.fromCodePoint(code)
    },
  )
}

const CONTROLS: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

/** A character as a regular expression writes it, outside of brackets. */
function escaped(character: string): string {
  return CONTROLS[character] ?? character.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&")
}
