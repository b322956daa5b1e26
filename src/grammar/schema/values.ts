import { at, isRecord, type SchemaObject, wrong } from "./document"

const TYPES = ["object", "array", "string", "integer", "number", "boolean", "null"] as const

/** Keywords that restrict values of one type only. */
const KEYWORDS: readonly (readonly [type: string, keywords: readonly string[]])[] = [
  [
    "object",
    [
      "properties",
      "required",
      "additionalProperties",
      "patternProperties",
      "propertyNames",
      "minProperties",
      "maxProperties",
      "unevaluatedProperties",
    ],
  ],
  ["array", ["items", "prefixItems", "minItems", "maxItems", "contains"]],
  ["string", ["pattern", "format", "minLength", "maxLength"]],
  ["number", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]],
]

/**
 * The types of a schema's values. Without `type`, those that its keywords are about: other values would be valid, but are
 * rarely meant.
 * @throws InvalidRequest
 */
export function typesOf(schema: SchemaObject, path: string): readonly string[] {
  const names = schema["type"] === undefined ? impliedTypes(schema) : typesIn(schema, path)
  const unique = new Set(names)
  // Every integer is a number.
  if (unique.has("number")) unique.delete("integer")
  return [...unique]
}

/** The types that a schema names, `nullable` among them. @throws InvalidRequest */
export function typesIn(schema: SchemaObject, path: string): readonly string[] {
  const { type } = schema
  const listed = Array.isArray(type) ? (type as readonly unknown[]) : [type]
  const names = listed.map((each) => {
    if (TYPES.some((name) => name === each)) return String(each)
    throw wrong(at(path, "type"), `must be one of ${TYPES.join(", ")}`, each)
  })
  return schema["nullable"] === true ? [...names, "null"] : names
}

/** The types that `not` excludes, if that is all it says. @throws InvalidRequest */
export function excludedTypes({ not }: SchemaObject, path: string): ReadonlySet<string> | undefined {
  if (!isRecord(not) || Object.keys(not).join() !== "type") return undefined
  const types = new Set(typesIn(not, path))
  if (types.has("number")) return types.add("integer")
  // Numbers that are no integers would be left.
  return types.has("integer") ? undefined : types
}

function impliedTypes(schema: SchemaObject): readonly string[] {
  const implied = KEYWORDS.filter(([, keywords]) => keywords.some((key) => schema[key] !== undefined))
  if (implied.length === 0) return TYPES.filter((type) => type !== "integer")
  return [...implied.map(([type]) => type), ...(schema["nullable"] === true ? ["null"] : [])]
}

/** Is it a value of this type? */
export function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "object":
      return isRecord(value)
    case "array":
      return Array.isArray(value)
    case "integer":
      return Number.isInteger(value)
    case "null":
      return value === null
    default:
      return typeof value === type
  }
}
