import { pick } from "./random-text"

type JsonSchema = Record<string, unknown>

const NAMES = ["a", "b", "id", "name", "x_1", "x_2", "é", 'q"', "long name"]
const WORDS = ["red", "green", "redder", "", "é", 'say "hi"', "a\\b", "😀"]
const FORMATS = [
  "date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri",
] // prettier-ignore
const PATTERNS = [
  "^[a-z]+$", "^a", "b$", "[0-9]{2,4}", "^(foo|bar)+$", "^\\d{3}-\\w*$", "^(?:x|yz){0,3}$", "a.c", "^[^ab]{2}$",
  "^$|^z", "\\s", "^\\S{1,3}$", "(a|b)?c", "^(a|)b$", "\\u00e9|[\\x41-\\x44]",
] // prettier-ignore
const BOUNDS = [-1000, -12.5, -3, -1, -0.25, 0, 0.1, 0.5, 1, 2, 7, 9.99, 10, 99, 100, 123456, 1e9, 1.5e12]

/** A JSON Schema (2020-12) of at most `levels` levels, with keywords of all kinds and many of them together. */
export function randomSchema(random: () => number, levels = 3): JsonSchema {
  const defs = Object.fromEntries(
    ["one", "two"].map((name) => [name, part(random, Math.max(1, levels - 1), true)]),
  )
  return { ...part(random, levels, true), $defs: defs }
}

function part(random: () => number, levels: number, mayRefer: boolean): JsonSchema {
  const kinds: (() => JsonSchema)[] = [
    () => stringSchema(random),
    () => numberSchema(random),
    () => listed(random),
    () => pick([{ type: "boolean" }, { type: "null" }, {}], random),
    () => ({ ...stringSchema(random), ...numberSchema(random), type: ["string", "number", "null"] }),
  ]
  if (levels > 0)
    kinds.push(
      () => objectSchema(random, levels - 1),
      () => objectSchema(random, levels - 1),
      () => arraySchema(random, levels - 1),
      () => combined(random, levels - 1),
    )
  // A reference always stands below a property or an item that may be absent, or it may have no value at all.
  if (mayRefer && levels > 0) kinds.push(() => ({ $ref: pick(["#/$defs/one", "#/$defs/two"], random) }))
  return pick(kinds, random)()
}

function maybe(random: () => number, likelihood: number, made: () => JsonSchema): JsonSchema {
  return random() < likelihood ? made() : {}
}

function stringSchema(random: () => number): JsonSchema {
  const min = Math.floor(random() * 4)
  return {
    ...maybe(random, 0.9, () => ({ type: "string" })),
    ...maybe(random, 0.3, () => ({ minLength: min })),
    ...maybe(random, 0.3, () => ({ maxLength: min + Math.floor(random() * 6) })),
    ...maybe(random, 0.3, () => ({ pattern: pick(PATTERNS, random) })),
    ...maybe(random, 0.3, () => ({ format: pick(FORMATS, random) })),
  }
}

function numberSchema(random: () => number): JsonSchema {
  const [one, other] = [pick(BOUNDS, random), pick(BOUNDS, random)]
  const [min, max] = [Math.min(one, other), Math.max(one, other)]
  return {
    ...maybe(random, 0.9, () => ({ type: pick(["integer", "number"], random) })),
    ...maybe(random, 0.4, () => ({ [pick(["minimum", "exclusiveMinimum"], random)]: min })),
    ...maybe(random, 0.4, () => ({ [pick(["maximum", "exclusiveMaximum"], random)]: max })),
    ...maybe(random, 0.2, () => ({ multipleOf: pick([1, 2, 3, 7, 10, 25, 100, 0.01, 0.5], random) })),
  }
}

function listed(random: () => number): JsonSchema {
  const values = [...WORDS, 0, 1, -1.5, true, false, null, [], [1, "a"], {}, { a: 1, b: [null] }]
  if (random() < 0.3) return { const: pick(values, random) }
  const some = values.filter(() => random() < 0.3)
  return {
    enum: some.length === 0 ? ["only"] : some,
    ...maybe(random, 0.2, () => ({ type: pick(["string", "number", "object"], random) })),
  }
}

function objectSchema(random: () => number, levels: number): JsonSchema {
  const names = NAMES.filter(() => random() < 0.35)
  const properties = Object.fromEntries(names.map((name) => [name, part(random, levels, true)]))
  const required = [...names.filter(() => random() < 0.4), ...(random() < 0.1 ? ["other"] : [])]
  const min = Math.floor(random() * 3)
  return {
    ...maybe(random, 0.9, () => ({ type: "object" })),
    ...maybe(random, 0.9, () => ({ properties })),
    ...maybe(random, 0.8, () => ({ required })),
    ...maybe(random, 0.6, () => ({
      additionalProperties: pick([false, false, true, part(random, 0, false)], random),
    })),
    ...maybe(random, 0.15, () => ({
      patternProperties: { [pick(["^x_", "^[a-d]+$", "1$"], random)]: part(random, 0, false) },
    })),
    ...maybe(random, 0.1, () => ({
      propertyNames: pick([{ pattern: "^[a-z]{1,5}$" }, { maxLength: 3 }], random),
    })),
    ...maybe(random, 0.15, () => ({ minProperties: min })),
    ...maybe(random, 0.15, () => ({ maxProperties: min + Math.floor(random() * 3) })),
    ...maybe(random, 0.05, () => ({ dependentRequired: { a: ["b"] } })),
  }
}

function arraySchema(random: () => number, levels: number): JsonSchema {
  const min = Math.floor(random() * 3)
  return {
    ...maybe(random, 0.9, () => ({ type: "array" })),
    ...maybe(random, 0.8, () => ({ items: random() < 0.1 ? false : part(random, levels, true) })),
    ...maybe(random, 0.2, () => ({ prefixItems: [part(random, levels, false), part(random, 0, false)] })),
    ...maybe(random, 0.3, () => ({ minItems: min })),
    ...maybe(random, 0.3, () => ({ maxItems: min + Math.floor(random() * 3) })),
    ...maybe(random, 0.1, () => ({ uniqueItems: random() < 0.5 })),
    ...maybe(random, 0.1, () => ({ contains: part(random, 0, false) })),
  }
}

function combined(random: () => number, levels: number): JsonSchema {
  const parts = Array.from({ length: 1 + Math.floor(random() * 3) }, () => part(random, levels, true))
  const key = pick(["anyOf", "oneOf", "allOf"], random)
  return {
    [key]: parts,
    ...maybe(random, 0.2, () => objectSchema(random, 0)),
    ...maybe(random, 0.1, () => ({ not: part(random, 0, false) })),
    ...maybe(random, 0.1, () => ({ if: part(random, 0, false), then: part(random, 0, false) })),
  }
}
