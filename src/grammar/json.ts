import { ALL_CHARACTERS, type Characters, charactersIn, charactersOf, includes, without } from "./characters"
import { anyOf, characters, type GrammarNode, NOTHING, optional, repeat, sequence, terminal } from "./node"
import { ANY_NUMBER } from "./numbers"
import type { Rules } from "./rules"

/** Characters that a JSON string cannot contain as they are (RFC 8259, section 7). */
const ESCAPED: Characters = charactersOf([
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
])

/** Characters that a JSON string can contain as they are. */
export const PLAIN: Characters = without(ALL_CHARACTERS, ESCAPED)

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

/** The parts of JSON texts that many schemas use. */
export interface JsonParts {
  /** Between two tokens: nothing, a space, or a new line and its indentation. Bounded, so that small models go on. */
  readonly space: GrammarNode
  /** One character of a string, in any spelling. */
  readonly character: GrammarNode
  readonly string: GrammarNode
  /** Any value. */
  readonly value: GrammarNode
  readonly object: GrammarNode
  readonly array: GrammarNode
}

/** Adds the rules of the parts. */
export function jsonParts(rules: Rules): JsonParts {
  const space = rules.add(
    "space",
    optional(
      anyOf(terminal(" "), sequence(terminal("\n"), repeat(characters(charactersIn(" \t")), 0, MOST_INDENT))),
    ),
  )
  const character = rules.add("character", anyCharacter())
  const string = rules.add(
    "string",
    sequence(terminal('"'), repeat(character, 0, Number.POSITIVE_INFINITY), terminal('"')),
  )
  const name = rules.reserve("value")
  const value: GrammarNode = { type: "rule", name }
  const object = rules.add("object", objectOf(space, sequence(string, colon(space), value)))
  const array = rules.add("array", arrayOf(space, value))
  rules.define(
    name,
    anyOf(
      object,
      array,
      string,
      rules.add("number", ANY_NUMBER),
      terminal("true"),
      terminal("false"),
      terminal("null"),
    ),
  )
  return { space, character, string, value, object, array }
}

/** A colon, with optional space around it. */
export function colon(space: GrammarNode): GrammarNode {
  return sequence(space, terminal(":"), space)
}

export function comma(space: GrammarNode): GrammarNode {
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
export function inJsonString(set: Characters): GrammarNode {
  const plain = characters(without(set, ESCAPED))
  const escapes = Array.from({ length: 0x5d }, (_, code) => code)
    .filter((code) => includes(ESCAPED, code) && includes(set, code))
    .map((code) => terminal(SHORT_ESCAPES[code] ?? `\\u${code.toString(16).padStart(4, "0")}`))
  return anyOf(plain, ...escapes)
}

/** Exactly this value, with space where JSON allows it. */
export function exactly(value: unknown, space: GrammarNode): GrammarNode {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => exactly(item, space))
    return inBrackets("[", items, "]", space)
  }
  if (typeof value !== "object" || value === null) return terminal(JSON.stringify(value))
  const members = Object.entries(value).map(([key, inner]) =>
    sequence(terminal(JSON.stringify(key)), colon(space), exactly(inner, space)),
  )
  return inBrackets("{", members, "}", space)
}

function inBrackets(
  open: string,
  items: readonly GrammarNode[],
  close: string,
  space: GrammarNode,
): GrammarNode {
  const list = items.flatMap((item, index) => (index === 0 ? [item] : [comma(space), item]))
  return sequence(terminal(open), space, ...list, list.length === 0 ? NOTHING : space, terminal(close))
}
