import { type Characters, charactersIn } from "./characters"
import { anyOf, type GrammarNode, sequence, terminal } from "./node"
import { oneOfTexts } from "./trie"

/** The types of JSON values. */
export type JsonType = "string" | "number" | "boolean" | "null" | "object" | "array"

/** How values are written: as JSON, or as some other notation that says the same. */
export interface Notation {
  /** Different for each: equal schemas have rules of their own in each notation. */
  readonly name: string
  /** Between two tokens. */
  readonly space: GrammarNode
  readonly objects: ObjectNotation
  readonly arrays: ListNotation
  readonly strings: StringNotation
  /** The text of a value that is neither a string nor has parts. */
  literal(value: number | boolean | null): string
  /** What a value of this type is in its place: some notations say the type in front of it. */
  typed(type: JsonType, value: GrammarNode): GrammarNode
  /** Any value. */
  readonly any: GrammarNode
  /** The notation of the members and items of values. */
  readonly inner: Notation
}

export interface ListNotation {
  readonly open: GrammarNode
  readonly separator: GrammarNode
  readonly close: GrammarNode
  item(value: GrammarNode): GrammarNode
}

export interface ObjectNotation {
  readonly open: GrammarNode
  readonly separator: GrammarNode
  readonly close: GrammarNode
  member(name: string, value: GrammarNode): GrammarNode
  /** Members that the schema does not name; absent: there are none. */
  readonly others?: OtherMembers
}

export interface OtherMembers {
  /** `name`: made of the parts below. */
  member(name: GrammarNode, value: GrammarNode): GrammarNode
  /** Any name. */
  readonly name: GrammarNode
  /** Characters of names, each with one spelling. */
  readonly characters: Characters
}

export interface StringNotation {
  /** Any string, with its quotes. */
  readonly any: GrammarNode
  /** One character of a string, in any spelling. */
  readonly character: GrammarNode
  /** One character of the set; each has one spelling. */
  write(set: Characters): GrammarNode
  quoted(content: GrammarNode): GrammarNode
  /** The content of a string with this value. */
  content(value: string): string
}

/** Exactly this value, with space where the notation allows it. */
export function exactly(value: unknown, notation: Notation): GrammarNode {
  const { space, inner } = notation
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => notation.arrays.item(exactly(item, inner)))
    return notation.typed("array", enclosed(notation.arrays, items, space))
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(([key, each]) =>
      notation.objects.member(key, exactly(each, inner)),
    )
    return notation.typed("object", enclosed(notation.objects, members, space))
  }
  return oneOfScalars([value], notation)
}

/** One of these values, none of which has parts. */
export function oneOfScalars(values: readonly unknown[], notation: Notation): GrammarNode {
  const { strings } = notation
  const texts = new Map<JsonType, string[]>()
  for (const value of values) {
    const type = typeOfScalar(value)
    const text = typeof value === "string" ? strings.content(value) : notation.literal(asLiteral(value))
    const known = texts.get(type)
    if (known === undefined) texts.set(type, [text])
    else known.push(text)
  }
  return anyOf(
    ...[...texts].map(([type, each]) =>
      notation.typed(type, type === "string" ? strings.quoted(oneOfTexts(each)) : oneOfTexts(each)),
    ),
  )
}

function asLiteral(value: unknown): number | boolean | null {
  return typeof value === "number" || typeof value === "boolean" ? value : null
}

function typeOfScalar(value: unknown): JsonType {
  if (typeof value === "string") return "string"
  if (typeof value === "number") return "number"
  return typeof value === "boolean" ? "boolean" : "null"
}

function enclosed(
  { open, separator, close }: ListNotation | ObjectNotation,
  parts: readonly GrammarNode[],
  space: GrammarNode,
): GrammarNode {
  const list = parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part]))
  return sequence(open, space, ...list, ...(list.length === 0 ? [] : [space]), close)
}

export function booleans(notation: Notation): GrammarNode {
  return anyOf(...[true, false].map((value) => terminal(notation.literal(value))))
}

/** Names of functions and arguments where they stand without quotes. */
export const NAME_CHARACTERS: Characters = charactersIn(
  "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
)
