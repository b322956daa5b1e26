import { GRAMMAR_DEPTH } from "../../limits"
import { FORMATS } from "../regex/formats"
import { Patterns } from "../regex/patterns"
import {
  asSchema,
  at,
  countKeyword,
  isRecord,
  numberKeyword,
  resolveReference,
  type Schema,
  schemaList,
  type SchemaObject,
  schemasByName,
  textKeyword,
  textListKeyword,
  wrong,
} from "./document"
import { isEqual } from "./merge"
import { isOfType, typesIn } from "./values"

/**
 * Tells whether JSON values satisfy parts of one document: what `enum` and `const` list is compared with all other
 * keywords, so that these need no grammar.
 */
export class Validator {
  readonly #root: Schema
  /** Called with the path of a format or pattern that a text may not have: not all of them are known. */
  readonly #doubtful: (path: string) => void
  readonly #patterns = new Patterns()
  #depth = 0

  constructor(root: Schema, doubtful: (path: string) => void) {
    this.#root = root
    this.#doubtful = doubtful
  }

  /** @throws InvalidRequest for what is no JSON Schema, or refers to itself without end */
  accepts(schema: Schema, value: unknown, path: string): boolean {
    if (typeof schema === "boolean") return schema
    if (++this.#depth > 2 * GRAMMAR_DEPTH) throw wrong(path, "refers to itself without end")
    try {
      return (
        this.#ofReference(schema, value, path) &&
        this.#ofAlternatives(schema, value, path) &&
        this.#ofConditions(schema, value, path) &&
        isListed(schema, value, path) &&
        this.#ofType(schema, value, path)
      )
    } finally {
      this.#depth--
    }
  }

  #ofReference({ $ref }: SchemaObject, value: unknown, path: string): boolean {
    if ($ref === undefined) return true
    if (typeof $ref !== "string") throw wrong(at(path, "$ref"), "must be a text", $ref)
    const target = resolveReference(this.#root, $ref, at(path, "$ref"))
    return this.accepts(target.schema, value, target.path)
  }

  #ofAlternatives(schema: SchemaObject, value: unknown, path: string): boolean {
    const matching = (key: string): number =>
      schemaList(schema, key, path).filter((each, index) =>
        this.accepts(each, value, at(path, key, String(index))),
      ).length
    return (
      matching("allOf") === schemaList(schema, "allOf", path).length &&
      (schema["anyOf"] === undefined || matching("anyOf") > 0) &&
      (schema["oneOf"] === undefined || matching("oneOf") === 1)
    )
  }

  #ofConditions(schema: SchemaObject, value: unknown, path: string): boolean {
    const holds = (key: string): boolean =>
      schema[key] === undefined || this.accepts(asSchema(schema[key], at(path, key)), value, at(path, key))
    if (schema["not"] !== undefined && holds("not")) return false
    if (schema["if"] === undefined) return true
    return holds("if") ? holds("then") : holds("else")
  }

  #ofType(schema: SchemaObject, value: unknown, path: string): boolean {
    const { type } = schema
    if (type !== undefined && !typesIn(schema, path).some((each) => isOfType(value, each))) return false
    if (typeof value === "number") return this.#number(schema, value, path)
    if (typeof value === "string") return this.#text(schema, value, path)
    if (Array.isArray(value)) return this.#list(schema, value, path)
    return !isRecord(value) || this.#object(schema, value, path)
  }

  #number(schema: SchemaObject, value: number, path: string): boolean {
    const limit = (key: string): number | undefined =>
      typeof schema[key] === "boolean" ? undefined : numberKeyword(schema, key, path)
    const min = limit("minimum") ?? -Infinity
    const max = limit("maximum") ?? Infinity
    const divisor = limit("multipleOf") ?? 0
    const quotient = value / divisor
    return (
      (schema["exclusiveMinimum"] === true ? value > min : value >= min) &&
      (schema["exclusiveMaximum"] === true ? value < max : value <= max) &&
      value > (limit("exclusiveMinimum") ?? -Infinity) &&
      value < (limit("exclusiveMaximum") ?? Infinity) &&
      (divisor === 0 || Math.abs(quotient - Math.round(quotient)) < 1e-9)
    )
  }

  #text(schema: SchemaObject, value: string, path: string): boolean {
    const pattern = textKeyword(schema, "pattern", path)
    const format = textKeyword(schema, "format", path)
    if (format !== undefined && !this.#hasFormat(value, format)) this.#doubtful(at(path, "format"))
    return (
      isWithin(schema, ["minLength", "maxLength"], Array.from(value).length, path) &&
      (pattern === undefined || this.#isFound(pattern, value, at(path, "pattern")))
    )
  }

  #list(schema: SchemaObject, value: readonly unknown[], path: string): boolean {
    const isOldTuple = Array.isArray(schema["items"])
    const key = isOldTuple ? "items" : "prefixItems"
    const rest = isOldTuple ? "additionalItems" : "items"
    const prefix = schemaList(schema, key, path)
    const other = asSchema(schema[rest] ?? true, at(path, rest))
    const { contains } = schema
    const found =
      contains === undefined
        ? undefined
        : value.filter((item) => this.accepts(asSchema(contains, path), item, at(path, "contains"))).length
    return (
      isWithin(schema, ["minItems", "maxItems"], value.length, path) &&
      value.every((item, index) =>
        this.accepts(prefix[index] ?? other, item, at(path, key, String(index))),
      ) &&
      (schema["uniqueItems"] !== true ||
        value.every((item, index) => !value.slice(0, index).some((before) => isEqual(item, before)))) &&
      (found === undefined ||
        (found >= (countKeyword(schema, "minContains", path) ?? 1) &&
          found <= (countKeyword(schema, "maxContains", path) ?? Infinity)))
    )
  }

  #object(schema: SchemaObject, value: SchemaObject, path: string): boolean {
    const keys = Object.keys(value)
    const names = asSchema(schema["propertyNames"] ?? true, at(path, "propertyNames"))
    return (
      isWithin(schema, ["minProperties", "maxProperties"], keys.length, path) &&
      textListKeyword(schema, "required", path).every((key) => Object.hasOwn(value, key)) &&
      keys.every((key) => this.accepts(names, key, at(path, "propertyNames"))) &&
      Object.entries(value).every(([key, inner]) =>
        this.#propertySchemas(schema, key, path).every((each) =>
          this.accepts(each, inner, at(path, "properties", key)),
        ),
      ) &&
      this.#dependencies(schema, value, path)
    )
  }

  /** All schemas that hold for the property `key`. */
  #propertySchemas(schema: SchemaObject, key: string, path: string): readonly Schema[] {
    const named = schemasByName(schema, "properties", path).filter(([name]) => name === key)
    const place = at(path, "patternProperties")
    const patterns = schemasByName(schema, "patternProperties", path).filter(([pattern]) =>
      this.#isFound(pattern, key, place),
    )
    const own = [...named, ...patterns].map(([, inner]) => inner)
    if (own.length > 0) return own
    const additional = schema["additionalProperties"] ?? schema["unevaluatedProperties"] ?? true
    return [asSchema(additional, at(path, "additionalProperties"))]
  }

  #hasFormat(text: string, format: string): boolean {
    const known = FORMATS[format]
    return known !== undefined && this.#patterns.isFound(`^(?:${known})$`, text) === true
  }

  #isFound(pattern: string, text: string, path: string): boolean {
    const isFound = this.#patterns.isFound(pattern, text)
    if (isFound === undefined) this.#doubtful(path)
    return isFound ?? true
  }

  #dependencies(schema: SchemaObject, value: SchemaObject, path: string): boolean {
    return ["dependentRequired", "dependentSchemas", "dependencies"].every((keyword) => {
      const all = schema[keyword] ?? {}
      if (!isRecord(all)) throw wrong(at(path, keyword), "must be an object", all)
      return Object.keys(all)
        .filter((key) => Object.hasOwn(value, key))
        .every((key) =>
          Array.isArray(all[key])
            ? textListKeyword(all, key, at(path, keyword)).every((each) => Object.hasOwn(value, each))
            : this.accepts(asSchema(all[key], at(path, keyword, key)), value, at(path, keyword, key)),
        )
    })
  }
}

function isListed(schema: SchemaObject, value: unknown, path: string): boolean {
  const { const: only, enum: list } = schema
  if (list !== undefined && !Array.isArray(list)) throw wrong(at(path, "enum"), "must be a list", list)
  return (
    (only === undefined || isEqual(only, value)) &&
    (list === undefined || (list as readonly unknown[]).some((each) => isEqual(each, value)))
  )
}

function isWithin(
  schema: SchemaObject,
  [least, most]: readonly [string, string],
  count: number,
  path: string,
): boolean {
  return (
    count >= (countKeyword(schema, least, path) ?? 0) &&
    count <= (countKeyword(schema, most, path) ?? Infinity)
  )
}
