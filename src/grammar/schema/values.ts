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
  ["array", ["items", "prefixItems", "minItems", "maxItems"]],
  ["string", ["pattern", "format", "minLength", "maxLength"]],
  ["number", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]],
]

/**
 * The types of a schema's values. Without `type`, those that its keywords are about: other values would be valid, but are
 * rarely meant.
 * @throws InvalidRequest
 */
export function typesOf(schema: SchemaObject, path: string): readonly string[] {
  const { type } = schema
  const listed =
    type === undefined ? impliedTypes(schema) : Array.isArray(type) ? (type as unknown[]) : [type]
  const names = listed.map((each) => {
    if (TYPES.some((name) => name === each)) return String(each)
    throw wrong(at(path, "type"), `must be one of ${TYPES.join(", ")}`, each)
  })
  const unique = new Set(schema["nullable"] === true ? [...names, "null"] : names)
  // Every integer is a number.
  if (unique.has("number")) unique.delete("integer")
  return [...unique]
}

function impliedTypes(schema: SchemaObject): readonly string[] {
  const implied = KEYWORDS.filter(([, keywords]) => keywords.some((key) => schema[key] !== undefined))
  return implied.length > 0 ? implied.map(([type]) => type) : TYPES.filter((type) => type !== "integer")
}

/**
 * Does a listed value satisfy the schema's other keywords? Those of lists and nested objects are not looked at.
 * @throws InvalidRequest
 */
export function accepts(schema: SchemaObject, value: unknown, path: string): boolean {
  if (schema["type"] !== undefined && !typesOf(schema, path).some((type) => isOfType(value, type)))
    return false
  const limit = (key: string): number | undefined => {
    const found = schema[key]
    return typeof found === "number" ? found : undefined
  }
  if (typeof value === "number") {
    const [min, max] = [limit("minimum"), limit("maximum")]
    const [above, below] = [limit("exclusiveMinimum"), limit("exclusiveMaximum")]
    return (
      (min === undefined || value >= min) &&
      (max === undefined || value <= max) &&
      (above === undefined || value > above) &&
      (below === undefined || value < below)
    )
  }
  if (typeof value === "string") {
    const length = Array.from(value).length
    return length >= (limit("minLength") ?? 0) && length <= (limit("maxLength") ?? Number.POSITIVE_INFINITY)
  }
  return true
}

function isOfType(value: unknown, type: string): boolean {
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
