import { MOST_REPETITIONS } from "../../limits"
import { charactersIn, includes, without } from "../characters"
import {
  anyOf,
  characters,
  IMPOSSIBLE,
  isImpossible,
  isNothing,
  type GrammarNode,
  NOTHING,
  optional,
  repeat,
  sequence,
  terminal,
} from "../node"
import type { OtherMembers } from "../notation"
import type { SchemaScope } from "./compile"
import {
  asSchema,
  at,
  countKeyword,
  isRecord,
  type Schema,
  schemasByName,
  type SchemaObject,
  textListKeyword,
  wrong,
} from "./document"
import { matchesName } from "./merge"
import { stringContent } from "./scalars"

/** One property: its name and value, and whether it must be there. */
interface Property {
  readonly name: string
  readonly member: GrammarNode
  readonly isRequired: boolean
}

/** @throws InvalidRequest */
export function objectNode(scope: SchemaScope, schema: SchemaObject, path: string): GrammarNode {
  const { space, objects } = scope.notation
  const properties = propertiesIn(scope, schema, path)
  if (properties === undefined) return IMPOSSIBLE
  const others = othersIn(scope, schema, path)
  const counts = countsIn(schema, path)
  const required = properties.filter(({ isRequired }) => isRequired).length
  if (others !== undefined && counts.min > required + 1)
    scope.unenforced(at(path, "minProperties"), "two of the other properties may have the same name")
  const members = membersOf(scope, { properties, others, ...counts })
  if (members === undefined) {
    scope.unenforced(at(path, "minProperties"), "there are too many properties to count them")
    const uncounted = membersOf(scope, { properties, others, min: 0, max: Number.POSITIVE_INFINITY })
    return sequence(objects.open, space, uncounted ?? NOTHING, objects.close)
  }
  return isImpossible(members) ? IMPOSSIBLE : sequence(objects.open, space, members, objects.close)
}

/** In the schema's order; undefined if a required one can have no value. */
function propertiesIn(
  scope: SchemaScope,
  schema: SchemaObject,
  path: string,
): readonly Property[] | undefined {
  const named = schemasByName(schema, "properties", path)
  const required = new Set(textListKeyword(schema, "required", path))
  const names = new Set(named.map(([name]) => name))
  const unnamed = [...required]
    .filter((name) => !names.has(name))
    .map((name) => [name, otherSchema(schema, name, path)] as const)
  const properties: Property[] = []
  for (const [name, inner] of [...named, ...unnamed]) {
    const value = scope.inner(inner, at(path, "properties", name))
    const isRequired = required.has(name)
    if (isImpossible(value) && isRequired) return undefined
    if (isImpossible(value)) continue
    const member = scope.notation.objects.member(name, scope.rules.add(name, value))
    properties.push({ name, member, isRequired })
  }
  return properties
}

/** The schema of a property without one of its own. */
function otherSchema(schema: SchemaObject, name: string, path: string): Schema {
  const byPattern = schemasByName(schema, "patternProperties", path).find(([pattern]) =>
    matchesName(pattern, name),
  )
  return byPattern?.[1] ?? asSchema(schema["additionalProperties"] ?? true, at(path, "additionalProperties"))
}

/** Members that the schema does not name; undefined: there are none. */
function othersIn(scope: SchemaScope, schema: SchemaObject, path: string): GrammarNode | undefined {
  const { others } = scope.notation.objects
  const patterns = patternMembers(scope, schema, path)
  const additional = additionalSchema(schema, path)
  const nodes = [...patterns.members]
  if (additional !== false && others !== undefined) {
    const value = scope.inner(additional, at(path, "additionalProperties"))
    const names = Object.keys(isRecord(schema["properties"]) ? schema["properties"] : {})
    const required = textListKeyword(schema, "required", path)
    const excluded = { names: [...names, ...required], prefixes: patterns.prefixes }
    const key = nameOf(scope, others, schema, excluded, path)
    if (!isImpossible(value)) nodes.push(others.member(key, scope.rules.add("additional", value)))
  } else if (schema["propertyNames"] !== undefined) {
    scope.unenforced(at(path, "propertyNames"), "names of listed properties are not compared with it")
  }
  return nodes.length === 0 ? undefined : scope.rules.add("other-member", anyOf(...nodes))
}

/** Absent beside `properties` means none: a part of what the schema allows, and nearly always what is meant. */
function additionalSchema(schema: SchemaObject, path: string): Schema {
  const { additionalProperties, unevaluatedProperties, properties, patternProperties, required } = schema
  const stated = additionalProperties ?? unevaluatedProperties
  if (stated !== undefined) return asSchema(stated, at(path, "additionalProperties"))
  return properties === undefined && patternProperties === undefined && required === undefined
}

interface Excluded {
  readonly names: readonly string[]
  readonly prefixes: readonly string[]
}

/** The names of additional properties, without the quotes. */
function nameOf(
  scope: SchemaScope,
  others: OtherMembers,
  schema: SchemaObject,
  excluded: Excluded,
  path: string,
): GrammarNode {
  const { propertyNames } = schema
  const isFree = excluded.names.length === 0 && excluded.prefixes.length === 0
  if (propertyNames !== undefined && propertyNames !== true) {
    const names = asSchema(propertyNames, at(path, "propertyNames"))
    const content =
      isFree && isRecord(names) && names["enum"] === undefined && names["const"] === undefined
        ? stringContent(scope, names, at(path, "propertyNames"))
        : undefined
    if (content !== undefined) return content
    scope.unenforced(at(path, "propertyNames"), "it stands beside other rules for names")
  }
  if (isFree) return others.name
  return scope.rules.add("other-name", otherNames(others, excluded))
}

/**
 * All names except some, and except those that begin with a prefix. Without escapes: they could spell an excluded name in
 * another way.
 */
function otherNames({ characters: plain }: OtherMembers, { names, prefixes }: Excluded): GrammarNode {
  const rest = repeat(characters(plain), 0, Number.POSITIVE_INFINITY)
  const after = (begun: string): GrammarNode => {
    if (prefixes.includes(begun)) return IMPOSSIBLE
    const longer = [...names, ...prefixes].filter(
      (each) => each.startsWith(begun) && each.length > begun.length,
    )
    const next = [...new Set(longer.map((each) => Array.from(each.slice(begun.length))[0] ?? ""))]
    const others = sequence(characters(without(plain, charactersIn(next.join("")))), rest)
    const further = next
      .filter((character) => includes(plain, character.codePointAt(0) ?? 0))
      .map((character) => sequence(terminal(character), after(begun + character)))
    const isName = names.includes(begun)
    return anyOf(others, ...further.filter((node) => !isImpossible(node)), ...(isName ? [] : [NOTHING]))
  }
  return after("")
}

/** `patternProperties`: members of their own, where no name can match two of the patterns or a listed property. */
function patternMembers(
  scope: SchemaScope,
  schema: SchemaObject,
  path: string,
): { readonly members: readonly GrammarNode[]; readonly prefixes: readonly string[] } {
  const { others } = scope.notation.objects
  const place = at(path, "patternProperties")
  const patterns = schemasByName(schema, "patternProperties", path)
  const names = Object.keys(isRecord(schema["properties"]) ? schema["properties"] : {})
  const prefixes = patterns.flatMap(([pattern]) => prefixOf(pattern) ?? [])
  const isClear =
    (prefixes.length === patterns.length &&
      prefixes.every((one, index) =>
        prefixes.every((other, otherIndex) => index === otherIndex || !other.startsWith(one)),
      ) &&
      !names.some((name) => prefixes.some((prefix) => name.startsWith(prefix)))) ||
    (patterns.length === 1 && names.length === 0 && additionalSchema(schema, path) === false)
  if (!isClear || others === undefined) {
    if (patterns.length > 0) scope.unenforced(place, "its patterns are not distinct beginnings of names")
    return { members: [], prefixes: [] }
  }
  const members = patterns.map(([pattern, inner]) => {
    const value = scope.rules.add("by-pattern", scope.inner(inner, at(place, pattern)))
    return others.member(nameNode(scope, others, pattern, at(place, pattern)), value)
  })
  return { members, prefixes }
}

/** The text that a pattern demands at the beginning of a name, if that is all. */
function prefixOf(pattern: string): string | undefined {
  return /^\^([A-Za-z0-9_ -]+)$/.exec(pattern)?.[1]
}

function nameNode(scope: SchemaScope, others: OtherMembers, pattern: string, path: string): GrammarNode {
  const any = repeat(characters(others.characters), 0, Number.POSITIVE_INFINITY)
  const prefix = prefixOf(pattern)
  if (prefix !== undefined) return sequence(terminal(prefix), any)
  const content = stringContent(scope, { pattern }, path)
  return content ?? any
}

/** The text with which all members begin, and what follows it in each. */
function splitBegin(properties: readonly Property[]): {
  readonly begin: string
  readonly rests: readonly GrammarNode[]
} {
  const members = properties.map(({ member }) => member)
  const texts = members.map((member) => Array.from(textAtStart(member)))
  const [first = []] = texts
  const differs = first.findIndex((character, at) => texts.some((text) => text[at] !== character))
  const begin = first.slice(0, differs < 0 ? first.length : differs).join("")
  return { begin, rests: members.map((member) => withoutStart(member, begin)) }
}

function textAtStart(node: GrammarNode): string {
  const [first] = node.type === "sequence" ? node.nodes : [node]
  return first?.type === "text" ? first.text : ""
}

function withoutStart(node: GrammarNode, begin: string): GrammarNode {
  const [, ...rest] = node.type === "sequence" ? node.nodes : [node]
  return begin === "" ? node : sequence(terminal(textAtStart(node).slice(begin.length)), ...rest)
}

interface Counts {
  readonly min: number
  readonly max: number
}

function countsIn(schema: SchemaObject, path: string): Counts {
  const min = countKeyword(schema, "minProperties", path) ?? 0
  const max = countKeyword(schema, "maxProperties", path) ?? Number.POSITIVE_INFINITY
  if (min > max) throw wrong(at(path, "minProperties"), "must not be above maxProperties", min)
  return { min, max }
}

interface Members extends Counts {
  readonly properties: readonly Property[]
  readonly others: GrammarNode | undefined
}

/** The most rules for counting the members of one object. */
const MOST_COUNT_RULES = 2000

/**
 * The members in their order, separated by commas, and the space after them; undefined if counting them takes too many
 * rules.
 */
function membersOf(scope: SchemaScope, { properties, others, min, max }: Members): GrammarNode | undefined {
  const { space, objects } = scope.notation
  const { separator } = objects
  const required = properties.filter(({ isRequired }) => isRequired).length
  const most = others === undefined ? properties.length : Number.POSITIVE_INFINITY
  // Limits that hold anyway are not counted.
  const least = min <= required ? 0 : min
  const limit = most <= max ? Number.POSITIVE_INFINITY : max
  if (least > most || limit < required) return IMPOSSIBLE
  const counted = Math.max(least, limit === Number.POSITIVE_INFINITY ? 0 : limit)
  if (counted > MOST_REPETITIONS || counted * properties.length > MOST_COUNT_RULES) return undefined
  const known = new Map<string, GrammarNode>()
  const lastRequired = properties.findLastIndex(({ isRequired }) => isRequired)
  const { begin, rests } = splitBegin(properties)
  // Where members are counted, each stands in several rules.
  const named =
    counted === 0
      ? rests
      : rests.map((rest, index) => scope.rules.add(`${properties[index]?.name ?? ""}-member`, rest))

  function ruleOf(hint: string, index: number, count: number, write: () => GrammarNode): GrammarNode {
    const key = `${hint} ${index} ${count}`
    const found = known.get(key)
    if (found !== undefined) return found
    const expression = write()
    const isPlain = isImpossible(expression) || isNothing(expression)
    const node = isPlain ? expression : scope.rules.add(`${hint}-${index}`, expression)
    known.set(key, node)
    return node
  }

  /** What may follow `count` members, from the property at `index` on. Counts above what matters are one. */
  function after(index: number, count: number): GrammarNode {
    return ruleOf("members", index, count, () => following(index, count))
  }

  /**
   * What comes between two members, and how they all begin, is read once, not once for each member that may be next:
   * llama.cpp follows all ways at every character.
   */
  function following(index: number, count: number): GrammarNode {
    const before = count === 0 ? NOTHING : separator
    const member = sequence(before, terminal(begin), oneFrom(index, count))
    return anyOf(
      ...[member, index > lastRequired ? ending(count) : IMPOSSIBLE].filter((each) => !isImpossible(each)),
    )
  }

  /** One of the members from `index` on, up to the first one that must come, and what follows it. */
  function oneFrom(index: number, count: number): GrammarNode {
    const property = properties[index]
    const name = named[index]
    if (property === undefined || name === undefined || count >= limit) return IMPOSSIBLE
    return ruleOf("member", index, counted === 0 ? 1 : count, () => {
      const taken = sequence(name, after(index + 1, next(count)))
      const later = property.isRequired ? IMPOSSIBLE : oneFrom(index + 1, count)
      return anyOf(...[taken, later].filter((each) => !isImpossible(each)))
    })
  }

  function ending(count: number): GrammarNode {
    const end = count === 0 ? NOTHING : space
    const missing = Math.max(0, least - count)
    const left = limit - count
    if (others === undefined) return missing > 0 ? IMPOSSIBLE : end
    if (left <= 0) return end
    const more = sequence(separator, others)
    if (count > 0) return sequence(repeat(more, missing, left), end)
    const some = sequence(others, repeat(more, Math.max(0, missing - 1), left - 1), space)
    return missing > 0 ? some : optional(some)
  }

  function next(count: number): number {
    return Math.min(count + 1, Math.max(1, counted))
  }

  return following(0, 0)
}
