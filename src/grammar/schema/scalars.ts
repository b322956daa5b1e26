import { MOST_REPETITIONS } from "../../limits"
import { type GrammarNode, repeat } from "../node"
import {
  ANY_INTEGER,
  ANY_NUMBER,
  integersWithin,
  multiplesOf,
  type NumberBounds,
  numbersWithin,
} from "../numbers"
import { type Expression, inSequence, lengthsOf } from "../regex/expression"
import { FORMATS } from "../regex/formats"
import { parseRegex, RegexError } from "../regex/parse"
import { matched, searched } from "../regex/to-node"
import { oneOfTexts } from "../trie"
import type { SchemaScope } from "./compile"
import { at, countKeyword, numberKeyword, type SchemaObject, textKeyword, wrong } from "./document"

interface Lengths {
  readonly min: number
  readonly max: number
}

/** @throws InvalidRequest */
export function stringNode(scope: SchemaScope, schema: SchemaObject, path: string): GrammarNode {
  const { strings } = scope.notation
  const content = stringContent(scope, schema, path)
  return content === undefined ? strings.any : strings.quoted(content)
}

/** What may stand within the quotes; undefined: anything. @throws InvalidRequest */
export function stringContent(
  scope: SchemaScope,
  schema: SchemaObject,
  path: string,
): GrammarNode | undefined {
  const lengths = lengthsIn(scope, schema, path)
  const pattern = textKeyword(schema, "pattern", path)
  const format = textKeyword(schema, "format", path)
  const known = format === undefined ? undefined : FORMATS[format]
  if (pattern !== undefined) {
    if (format !== undefined)
      scope.unenforced(at(path, "format"), "it stands beside a pattern, which is enforced")
    return ofPattern(scope, pattern, lengths, path)
  }
  if (known !== undefined) {
    const expression = parseRegex(known)
    return matched(withLengths(scope, expression, lengths, path), scope.notation.strings.write)
  }
  if (format !== undefined)
    scope.unenforced(at(path, "format"), `the format '${format.slice(0, 40)}' is not known`)
  if (lengths.min === 0 && lengths.max === Number.POSITIVE_INFINITY) return undefined
  return repeat(scope.notation.strings.character, lengths.min, lengths.max)
}

function ofPattern(
  scope: SchemaScope,
  pattern: string,
  lengths: Lengths,
  path: string,
): GrammarNode | undefined {
  try {
    const expression = parseRegex(pattern)
    const isAnchored = pattern.startsWith("^") && pattern.endsWith("$") && !pattern.endsWith("\\$")
    const isLimited = lengths.min > 0 || lengths.max < Number.POSITIVE_INFINITY
    if (isLimited && !isAnchored) reportLengths(scope, lengths, path)
    return searched(
      isAnchored ? withLengths(scope, expression, lengths, path) : expression,
      scope.notation.strings.write,
    )
  } catch (error) {
    if (!(error instanceof RegexError)) throw error
    if (!error.isUnsupported)
      throw wrong(at(path, "pattern"), `is no regular expression: ${error.message}`, pattern)
    scope.unenforced(at(path, "pattern"), `it uses ${error.message}`)
    return undefined
  }
}

function lengthsIn(scope: SchemaScope, schema: SchemaObject, path: string): Lengths {
  const given = {
    min: countKeyword(schema, "minLength", path) ?? 0,
    max: countKeyword(schema, "maxLength", path) ?? Number.POSITIVE_INFINITY,
  }
  if (given.min > given.max) throw wrong(at(path, "minLength"), "must not be above maxLength", given.min)
  return {
    min: countable(scope, given.min, at(path, "minLength")) ?? 0,
    max: countable(scope, given.max, at(path, "maxLength")) ?? Number.POSITIVE_INFINITY,
  }
}

/** A bound that a grammar can count to; undefined for a larger one, which is reported. */
export function countable(scope: SchemaScope, bound: number, place: string): number | undefined {
  if (bound <= MOST_REPETITIONS || bound === Number.POSITIVE_INFINITY) return bound
  scope.unenforced(place, `it is above ${MOST_REPETITIONS}`)
  return undefined
}

/**
 * Restricts an expression to texts of these lengths, where one repeated character is all whose length varies.
 * Otherwise the lengths are reported as not enforced, unless they follow from the expression.
 */
function withLengths(scope: SchemaScope, expression: Expression, lengths: Lengths, path: string): Expression {
  const own = lengthsOf(expression)
  if (own.min >= lengths.min && own.max <= lengths.max) return expression
  const parts = expression.type === "sequence" ? expression.parts : [expression]
  const varying = parts.filter((part) => lengthsOf(part).min !== lengthsOf(part).max)
  const [only] = varying
  if (varying.length === 1 && only?.type === "repeat" && only.part.type === "characters") {
    const others = own.min - only.min
    const min = Math.max(only.min, lengths.min - others)
    const max = Math.min(only.max, lengths.max - others)
    if (min <= max)
      return inSequence(
        parts.map((part) => (part === only ? { type: "repeat", part: only.part, min, max } : part)),
      )
  }
  reportLengths(scope, lengths, path)
  return expression
}

function reportLengths(scope: SchemaScope, lengths: Lengths, path: string): void {
  const reason = "it stands beside a pattern or format, which is enforced"
  if (lengths.min > 0) scope.unenforced(at(path, "minLength"), reason)
  if (lengths.max < Number.POSITIVE_INFINITY) scope.unenforced(at(path, "maxLength"), reason)
}

/** The largest divisor whose multiples are read digit by digit: it takes a rule for each remainder. */
const MOST_REMAINDERS = 100

/** Multiples within bounds are listed up to this number of them. */
const MOST_LISTED = 1000

/** @throws InvalidRequest */
export function numberNode(
  scope: SchemaScope,
  schema: SchemaObject,
  path: string,
  type: "integer" | "number",
): GrammarNode {
  const bounds = boundsIn(schema, path)
  const isBounded = bounds.min !== undefined || bounds.max !== undefined
  const divisor = numberKeyword(schema, "multipleOf", path)
  if (divisor !== undefined && !(divisor > 0)) throw wrong(at(path, "multipleOf"), "must be above 0", divisor)
  if (divisor !== undefined && divisor !== 1) {
    const multiples = multiplesNode(scope, divisor, bounds, type)
    if (multiples !== undefined) return multiples
    scope.unenforced(at(path, "multipleOf"), "multiples of this number cannot be told digit by digit")
  }
  if (type === "integer" || divisor === 1) return isBounded ? integersWithin(bounds) : ANY_INTEGER
  return isBounded ? numbersWithin(bounds) : ANY_NUMBER
}

function boundsIn(schema: SchemaObject, path: string): NumberBounds {
  const [minimum, maximum] = [numberKeyword(schema, "minimum", path), numberKeyword(schema, "maximum", path)]
  // In draft 4 these were booleans beside `minimum` and `maximum`.
  const above = exclusive(schema, "exclusiveMinimum", minimum, path)
  const below = exclusive(schema, "exclusiveMaximum", maximum, path)
  const isMinExclusive = above !== undefined && (minimum === undefined || above >= minimum)
  const isMaxExclusive = below !== undefined && (maximum === undefined || below <= maximum)
  const min = isMinExclusive ? above : minimum
  const max = isMaxExclusive ? below : maximum
  return {
    ...(min !== undefined && { min, isMinExclusive }),
    ...(max !== undefined && { max, isMaxExclusive }),
  }
}

function exclusive(
  schema: SchemaObject,
  key: "exclusiveMinimum" | "exclusiveMaximum",
  bound: number | undefined,
  path: string,
): number | undefined {
  const value = schema[key]
  if (value === true) return bound
  return value === false ? undefined : numberKeyword(schema, key, path)
}

function multiplesNode(
  scope: SchemaScope,
  divisor: number,
  bounds: NumberBounds,
  type: "integer" | "number",
): GrammarNode | undefined {
  const { min, max } = bounds
  const isWhole = Number.isInteger(divisor)
  const decimals = decimalPlaces(divisor)
  if (min === undefined && max === undefined) {
    if (isWhole && divisor <= MOST_REMAINDERS) return wholeMultiples(scope, divisor)
    return type === "number" && decimals !== undefined ? numbersWithin({}, decimals) : undefined
  }
  if (type === "number" && decimals !== undefined) return numbersWithin(bounds, decimals)
  if (min === undefined || max === undefined || !isWhole || (max - min) / divisor > MOST_LISTED)
    return undefined
  const first = Math.ceil(min / divisor) * divisor
  const values: number[] = []
  for (let value = first; value <= max; value += divisor) {
    const isAtEdge = (value === min && bounds.isMinExclusive) || (value === max && bounds.isMaxExclusive)
    if (isAtEdge !== true) values.push(value)
  }
  return oneOfTexts(values.map(String))
}

function wholeMultiples(scope: SchemaScope, divisor: number): GrammarNode {
  const names = new Map<string, string>()
  return multiplesOf(divisor, (remainder, left, node) => {
    const key = `${remainder} ${left}`
    const known = names.get(key)
    if (known !== undefined) return { type: "rule", name: known }
    const name = scope.rules.reserve(`multiple-of-${divisor}-rest-${remainder}`)
    names.set(key, name)
    scope.rules.define(name, node())
    return { type: "rule", name }
  })
}

/** 2 for 0.01; undefined for what is no such power of ten. */
function decimalPlaces(divisor: number): number | undefined {
  const places = Math.round(-Math.log10(divisor))
  return places > 0 && places <= 15 && Number(`1e-${places}`) === divisor ? places : undefined
}
