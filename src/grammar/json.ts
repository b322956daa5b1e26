import { ALL_CHARACTERS, type Characters, charactersIn, charactersOf, includes, without } from "./characters"
import { anyOf, characters, type GrammarNode, optional, repeat, sequence, terminal } from "./node"
import type { Notation } from "./notation"
import { ANY_NUMBER } from "./numbers"
import type { Rules } from "./rules"

/** Characters that a JSON string cannot contain as they are (RFC 8259, section 7). */
const ESCAPED: Characters = charactersOf([
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
])

/** Characters that a JSON string can contain as they are. */
const PLAIN: Characters = without(ALL_CHARACTERS, ESCAPED)

const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  0x08: "\\b",
  0x09: "\\t",
  0x0a: "\\n",
  0x0c: "\\f",
  0x0d: "\\r",
  0x22: '\\"',
  0x5c: "\\\\",
}

/** Blanks after a line end, at most. */
const MOST_INDENT = 20

/** Between two tokens: nothing, a space, or a new line and its indentation. Bounded, so that small models go on. */
const SPACE = optional(
  anyOf(terminal(" "), sequence(terminal("\n"), repeat(characters(charactersIn(" \t")), 0, MOST_INDENT))),
)

/** How a language that writes values almost as JSON does differs from it. */
interface JsonDialect {
  readonly name: string
  literal(value: number | boolean | null): string
  /** Other ways to write any string. */
  readonly strings?: GrammarNode
}

const JSON_ITSELF: JsonDialect = { name: "json", literal: (value) => JSON.stringify(value) }

/** The notation of JSON; adds the rules of what many schemas use. */
export function jsonNotation(rules: Rules, dialect: JsonDialect = JSON_ITSELF): Notation {
  const space = rules.add("space", SPACE)
  const character = rules.add("character", anyCharacter())
  const quoted = (content: GrammarNode): GrammarNode => sequence(terminal('"'), content, terminal('"'))
  const anyText = repeat(character, 0, Number.POSITIVE_INFINITY)
  const string = rules.add("string", anyOf(quoted(anyText), ...(dialect.strings ? [dialect.strings] : [])))
  const name = rules.reserve("value")
  const any: GrammarNode = { type: "rule", name }
  const notation: Notation = {
    name: dialect.name,
    space,
    objects: {
      open: terminal("{"),
      separator: comma(space),
      close: terminal("}"),
      member: (key, value) => sequence(terminal(JSON.stringify(key)), colon(space), value),
      others: {
        member: (key, value) => sequence(quoted(key), colon(space), value),
        name: anyText,
        characters: PLAIN,
      },
    },
    arrays: { open: terminal("["), separator: comma(space), close: terminal("]"), item: (value) => value },
    strings: {
      any: string,
      character,
      write: inJsonString,
      quoted,
      content: (value) => JSON.stringify(value).slice(1, -1),
    },
    literal: (value) => dialect.literal(value),
    typed: (_, value) => value,
    any,
    get inner() {
      return notation
    },
  }
  const object = rules.add("object", objectOf(space, sequence(string, colon(space), any)))
  const array = rules.add("array", arrayOf(space, any))
  const literals = [true, false, null].map((value) => terminal(dialect.literal(value)))
  rules.define(name, anyOf(object, array, string, rules.add("number", ANY_NUMBER), ...literals))
  return notation
}

/** A colon, with optional space around it. */
function colon(space: GrammarNode): GrammarNode {
  return sequence(space, terminal(":"), space)
}

function comma(space: GrammarNode): GrammarNode {
  return sequence(space, terminal(","), space)
}

/** Any number of members within braces. */
function objectOf(space: GrammarNode, member: GrammarNode): GrammarNode {
  return sequence(terminal("{"), space, optional(sequence(listOf(space, member), space)), terminal("}"))
}

function arrayOf(space: GrammarNode, item: GrammarNode): GrammarNode {
  return sequence(terminal("["), space, optional(sequence(listOf(space, item), space)), terminal("]"))
}

function listOf(space: GrammarNode, item: GrammarNode): GrammarNode {
  return sequence(item, repeat(sequence(comma(space), item), 0, Number.POSITIVE_INFINITY))
}

/** As it is, or as an escape, but no half of a surrogate pair. */
function anyCharacter(): GrammarNode {
  const hex = characters(charactersIn("0123456789abcdefABCDEF"))
  const notSurrogate = anyOf(
    sequence(characters(charactersIn("0123456789abcefABCEF")), repeat(hex, 3, 3)),
    sequence(characters(charactersIn("dD")), characters(charactersIn("01234567")), repeat(hex, 2, 2)),
  )
  const escape = anyOf(characters(charactersIn('"\\/bfnrt')), sequence(terminal("u"), notSurrogate))
  return anyOf(characters(PLAIN), sequence(terminal("\\"), escape))
}

/** One character of `set` within a JSON string; each has one spelling. */
function inJsonString(set: Characters): GrammarNode {
  const plain = characters(without(set, ESCAPED))
  const escapes = Array.from({ length: 0x5d }, (_, code) => code)
    .filter((code) => includes(ESCAPED, code) && includes(set, code))
    .map((code) => terminal(SHORT_ESCAPES[code] ?? `\\u${code.toString(16).padStart(4, "0")}`))
  return anyOf(plain, ...escapes)
}
