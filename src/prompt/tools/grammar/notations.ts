import { ALL_CHARACTERS, charactersIn, without } from "../../../grammar/characters"
import { jsonNotation } from "../../../grammar/json"
import {
  anyOf,
  characters,
  type GrammarNode,
  NOTHING,
  repeat,
  sequence,
  terminal,
} from "../../../grammar/node"
import {
  type JsonType,
  NAME_CHARACTERS,
  type Notation,
  type ObjectNotation,
  type StringNotation,
} from "../../../grammar/notation"
import { ANY_NUMBER } from "../../../grammar/numbers"
import type { Rules } from "../../../grammar/rules"
import { schemaNode } from "../../../grammar/schema/compile"
import type { TaggedArguments } from "../syntax"
import type { MarkerNodes } from "./marker-nodes"
import { charactersWithout, textWithout } from "./text-without"

const ANY_NAME = repeat(characters(NAME_CHARACTERS), 1, 64)

/** The notation of a tool's arguments where each stands on its own. Adds the rules that all tools share. */
export function taggedNotation(syntax: TaggedArguments, markers: MarkerNodes, rules: Rules): Notation {
  const values = valuesOf(syntax, markers, rules)
  const strings = syntax.strings === "raw" ? rawStrings(syntax, markers, rules) : values.strings
  const members = memberNotation(syntax, markers)
  const isNested = syntax.values.type === "nested"
  const typed = (type: JsonType, value: GrammarNode): GrammarNode =>
    sequence(markers.of(syntax.nameEndOf?.[type] ?? syntax.nameEnd), value)
  const value: Notation = {
    ...values,
    name: "argument",
    ...(isNested && { space: NOTHING, objects: members, arrays: nestedList(syntax, members) }),
    strings,
    typed,
    any:
      syntax.nameEndOf === undefined
        ? anyOfOneForm(syntax, values, strings, typed)
        : anyTyped(values, strings, typed, rules),
    get inner() {
      return isNested ? value : values
    },
  }
  return {
    ...value,
    name: "arguments",
    space: NOTHING,
    objects: members,
    typed: (_, node) => node,
    inner: value,
  }
}

/** Without a word about the type: a raw string can say anything. */
function anyOfOneForm(
  { strings: form }: TaggedArguments,
  values: Notation,
  strings: StringNotation,
  typed: Notation["typed"],
): GrammarNode {
  return typed("string", form === "raw" ? strings.any : values.any)
}

function anyTyped(
  values: Notation,
  strings: StringNotation,
  typed: Notation["typed"],
  rules: Rules,
): GrammarNode {
  const literal = (value: boolean | null): GrammarNode => terminal(values.literal(value))
  return rules.add(
    "any-argument",
    anyOf(
      typed("string", strings.any),
      typed("number", ANY_NUMBER),
      typed("boolean", anyOf(literal(true), literal(false))),
      typed("null", literal(null)),
      typed("object", schemaNode({ type: "object" }, rules, values).node),
      typed("array", schemaNode({ type: "array" }, rules, values).node),
    ),
  )
}

function memberNotation(syntax: TaggedArguments, markers: MarkerNodes): ObjectNotation {
  const isNamedTwice = [syntax.valueEnd, syntax.nameEnd, ...Object.values(syntax.nameEndOf ?? {})].some(
    (marker) => marker.some((part) => part.type === "argument"),
  )
  const member = (name: GrammarNode, value: GrammarNode, argument?: string): GrammarNode =>
    sequence(
      markers.of(syntax.start),
      name,
      value,
      markers.of(syntax.valueEnd, argument === undefined ? {} : { argument }),
    )
  return {
    open: NOTHING,
    separator: markers.of(syntax.separator),
    close: NOTHING,
    member: (name, value) => member(terminal(name), value, name),
    // A grammar cannot repeat a name that it does not know.
    ...(!isNamedTwice && {
      others: { member: (name, value) => member(name, value), name: ANY_NAME, characters: NAME_CHARACTERS },
    }),
  }
}

function nestedList({ values }: TaggedArguments, members: ObjectNotation): Notation["arrays"] {
  const item = values.type === "nested" ? values.item : ""
  return {
    open: NOTHING,
    separator: NOTHING,
    close: NOTHING,
    item: (value) => members.member(item, value),
  }
}

function rawStrings(syntax: TaggedArguments, markers: MarkerNodes, rules: Rules): StringNotation {
  const { stringWrap: wrap } = syntax
  const mark = rawMark(syntax, markers)
  const allowed = characters(charactersWithout(mark))
  const plain = wrap === undefined ? textWithout(mark, rules) : repeat(allowed, 0, Number.POSITIVE_INFINITY)
  const wrapped =
    wrap === undefined
      ? []
      : [sequence(markers.text(wrap.start), textWithout(wrap.end, rules), markers.text(wrap.end))]
  return {
    any: rules.add("raw-text", anyOf(plain, ...wrapped)),
    character: allowed,
    write: (set) => characters(charactersWithout(mark, set)),
    quoted: (content) => content,
    content: (value) => value,
  }
}

/** What no raw string may contain. Where values have members in the same tags, these do not begin within strings. */
function rawMark({ start, valueEnd, values }: TaggedArguments, markers: MarkerNodes): string {
  const end = markers.excludedBefore(valueEnd)
  if (values.type !== "nested") return end
  const open = markers.excludedBefore(start)
  let length = 0
  while (length < end.length && end[length] === open[length]) length++
  return length === 0 ? end : end.slice(0, length)
}

function valuesOf({ values }: TaggedArguments, markers: MarkerNodes, rules: Rules): Notation {
  switch (values.type) {
    case "json":
    case "nested":
      return jsonNotation(rules)
    case "python":
      return jsonNotation(rules, { name: "python", literal: pythonLiteral, strings: singleQuoted() })
    case "bare-keys":
      return bareKeys(values.quote, markers, rules)
    default:
      return values satisfies never
  }
}

function pythonLiteral(value: number | boolean | null): string {
  if (value === null) return "None"
  return typeof value === "number" ? JSON.stringify(value) : value ? "True" : "False"
}

function singleQuoted(): GrammarNode {
  const plain = characters(without(ALL_CHARACTERS, charactersIn("'\\\n\r")))
  const escape = sequence(terminal("\\"), characters(charactersIn("'\"\\nrt")))
  return sequence(terminal("'"), repeat(anyOf(plain, escape), 0, Number.POSITIVE_INFINITY), terminal("'"))
}

function bareKeys(quote: string, markers: MarkerNodes, rules: Rules): Notation {
  const mark = markers.text(quote)
  const quoted = (content: GrammarNode): GrammarNode => sequence(mark, content, mark)
  const string = rules.add("string", quoted(textWithout(quote, rules)))
  const name = rules.reserve("value")
  const any: GrammarNode = { type: "rule", name }
  const member = (key: GrammarNode, value: GrammarNode): GrammarNode => sequence(key, terminal(":"), value)
  const list = (open: string, item: GrammarNode, close: string): GrammarNode =>
    sequence(
      terminal(open),
      repeat(sequence(item, repeat(sequence(terminal(","), item), 0, Number.POSITIVE_INFINITY)), 0, 1),
      terminal(close),
    )
  const literals = [true, false, null].map((value) => terminal(JSON.stringify(value)))
  const object = rules.add("object", list("{", member(ANY_NAME, any), "}"))
  const array = rules.add("array", list("[", any, "]"))
  rules.define(name, anyOf(object, array, string, ANY_NUMBER, ...literals))
  const notation: Notation = {
    name: "bare-keys",
    space: NOTHING,
    objects: {
      open: terminal("{"),
      separator: terminal(","),
      close: terminal("}"),
      member: (key, value) => member(terminal(key), value),
      others: { member, name: ANY_NAME, characters: NAME_CHARACTERS },
    },
    arrays: { open: terminal("["), separator: terminal(","), close: terminal("]"), item: (value) => value },
    strings: {
      any: string,
      character: characters(charactersWithout(quote)),
      write: (set) => characters(charactersWithout(quote, set)),
      quoted,
      content: (value) => value,
    },
    literal: (value) => JSON.stringify(value),
    typed: (_, value) => value,
    any,
    get inner() {
      return notation
    },
  }
  return notation
}
