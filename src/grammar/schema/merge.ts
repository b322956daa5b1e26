import { Patterns } from "../regex/patterns"
import { isRecord, type Schema, type SchemaObject } from "./document"

/** Two keywords cannot be combined into one. */
export class CannotMerge extends Error {
  readonly key: string

  constructor(key: string) {
    super(`two values of ${key} cannot be combined`)
    this.key = key
  }
}

/** Keywords that only describe; they restrict nothing. */
export const ANNOTATIONS: ReadonlySet<string> = new Set([
  "$schema",
  "$id",
  "$anchor",
  "$comment",
  "$defs",
  "$vocabulary",
  "definitions",
  "title",
  "description",
  "default",
  "example",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
])

type Combine = (a: unknown, b: unknown) => unknown

const LARGER: Combine = (a, b) => Math.max(Number(a), Number(b))
const SMALLER: Combine = (a, b) => Math.min(Number(a), Number(b))

/** How the values of a keyword in two schemas combine into one that demands both. */
const COMBINE: Readonly<Record<string, Combine>> = {
  type: commonTypes,
  enum: commonValues,
  properties: (a, b) => mergedByName(a, b),
  patternProperties: (a, b) => mergedByName(a, b),
  required: (a, b) => [...new Set([...asList(a), ...asList(b)])],
  items: mergedParts,
  additionalProperties: mergedParts,
  propertyNames: mergedParts,
  prefixItems: mergedPrefix,
  minimum: LARGER,
  exclusiveMinimum: LARGER,
  maximum: SMALLER,
  exclusiveMaximum: SMALLER,
  minLength: LARGER,
  maxLength: SMALLER,
  minItems: LARGER,
  maxItems: SMALLER,
  minProperties: LARGER,
  maxProperties: SMALLER,
  nullable: (a, b) => a === true && b === true,
  anyOf: alternativesOfBoth,
  allOf: (a, b) => [...asList(a), ...asList(b)],
}

/**
 * One schema that demands what both demand. References stay as they are: they are put into `allOf`.
 * @throws CannotMerge
 */
export function merged(a: Schema, b: Schema): Schema {
  if (a === false || b === false) return false
  if (a === true) return b
  if (b === true) return a
  const result: Record<string, unknown> = { ...a }
  for (const [key, value] of Object.entries(b)) {
    const before = result[key]
    if (before === undefined || ANNOTATIONS.has(key)) result[key] ??= value
    else if (key === "$ref") result["allOf"] = [...asList(result["allOf"]), { $ref: value }]
    else if (!isEqual(before, value)) result[key] = combined(key, before, value)
  }
  return withinBoth(a, b, result)
}

function combined(key: string, a: unknown, b: unknown): unknown {
  const combine = COMBINE[key]
  if (combine === undefined) throw new CannotMerge(key)
  return combine(a, b)
}

/** A property that one of the two forbids as an additional one has no value; a schema for those holds for it as well. */
function withinBoth(
  a: SchemaObject,
  b: SchemaObject,
  result: Readonly<Record<string, unknown>>,
): SchemaObject {
  const patterns = patternsWithinBoth(a, b, result)
  const { properties } = result
  if (!isRecord(properties)) return { ...result, ...patterns }
  const all = Object.entries(properties).map(([name, schema]) => {
    const whole = [a, b].reduce<Schema>(
      (sum, side) => merged(sum, additionalFor(side, name)),
      schema as Schema,
    )
    return [name, whole] as const
  })
  return { ...result, ...patterns, properties: Object.fromEntries(all) }
}

/** For names that match a pattern of one of the two, the other's schema for additional properties holds as well. */
function patternsWithinBoth(
  a: SchemaObject,
  b: SchemaObject,
  { patternProperties }: Readonly<Record<string, unknown>>,
): { readonly patternProperties?: SchemaObject } {
  if (!isRecord(patternProperties)) return {}
  const limits = [a, b].filter(
    ({ additionalProperties }) => ![undefined, true].includes(additionalProperties as true),
  )
  const entries = Object.entries(patternProperties).map(([pattern, schema]) => {
    const others = limits.filter(
      (side) => !isRecord(side["patternProperties"]) || !Object.hasOwn(side["patternProperties"], pattern),
    )
    // Which names match both patterns cannot be told.
    if (others.some((side) => side["patternProperties"] !== undefined))
      throw new CannotMerge("patternProperties")
    const whole = others.reduce<unknown>(
      (sum, side) => mergedParts(sum, side["additionalProperties"]),
      schema,
    )
    return [pattern, whole] as const
  })
  return { patternProperties: Object.fromEntries(entries) }
}

/** What a schema demands of a property that it does not name. */
function additionalFor(
  { properties, patternProperties, additionalProperties }: SchemaObject,
  name: string,
): Schema {
  if (additionalProperties === undefined) return true
  if (isRecord(patternProperties) && Object.keys(patternProperties).some((each) => matchesName(each, name)))
    return true
  if (isRecord(properties) && Object.hasOwn(properties, name)) return true
  return typeof additionalProperties === "boolean" || isRecord(additionalProperties)
    ? additionalProperties
    : true
}

/** Does a name match a pattern of `patternProperties`? Wrong patterns match none: they are reported where they are read. */
export function matchesName(pattern: string, name: string): boolean {
  return new Patterns().isFound(pattern, name) ?? false
}

function mergedByName(a: unknown, b: unknown): unknown {
  if (!isRecord(a) || !isRecord(b)) return isRecord(a) ? a : b
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries(
    [...names].map((name) => [name, mergedParts(a[name] ?? true, b[name] ?? true)] as const),
  )
}

function mergedParts(a: unknown, b: unknown): unknown {
  // Anything that is no schema is reported where it is read.
  return isSchema(a) && isSchema(b) ? merged(a, b) : isSchema(a) ? b : a
}

function mergedPrefix(a: unknown, b: unknown): unknown {
  const [first, second] = [asList(a), asList(b)]
  if (first.length !== second.length) throw new CannotMerge("prefixItems")
  return first.map((item, index) => mergedParts(item, second[index]))
}

function commonTypes(a: unknown, b: unknown): unknown {
  const [first, second] = [asList(a), asList(b)]
  const common = first.flatMap((type) => {
    if (second.includes(type)) return [type]
    // Every integer is a number.
    if (type === "number" && second.includes("integer")) return ["integer"]
    return type === "integer" && second.includes("number") ? ["integer"] : []
  })
  return [...new Set(common)]
}

function commonValues(a: unknown, b: unknown): unknown {
  return asList(a).filter((value) => asList(b).some((other) => isEqual(value, other)))
}

/** Pairs of the alternatives of both. */
const MOST_ALTERNATIVES = 256

function alternativesOfBoth(a: unknown, b: unknown): unknown {
  const [first, second] = [asList(a), asList(b)]
  if (first.length * second.length > MOST_ALTERNATIVES) throw new CannotMerge("anyOf")
  return first.flatMap((one) => second.map((other) => ({ allOf: [one, other] })))
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "boolean" || isRecord(value)
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value]
}

/** Are the two the same JSON value? */
export function isEqual(a: unknown, b: unknown): boolean {
  return Bun.deepEquals(a, b, true)
}
