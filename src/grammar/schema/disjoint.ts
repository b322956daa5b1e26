import { isRecord, type Schema } from "./document"
import { isEqual } from "./merge"
import { typesOf } from "./values"

/** Levels of properties that are compared. */
const MOST_LEVELS = 3

/** Is it certain that no value matches both schemas? */
export function areDisjoint(a: Schema, b: Schema, levels = MOST_LEVELS): boolean {
  if (a === false || b === false) return true
  if (a === true || b === true || levels === 0) return false
  const [valuesOfA, valuesOfB] = [listedIn(a), listedIn(b)]
  if (valuesOfA !== undefined && valuesOfB !== undefined)
    return !valuesOfA.some((value) => valuesOfB.some((other) => isEqual(value, other)))
  const [typesOfA, typesOfB] = [kindsOf(a, valuesOfA), kindsOf(b, valuesOfB)]
  if (!typesOfA.some((type) => typesOfB.includes(type))) return true
  const isObjects = [typesOfA, typesOfB].every((types) => types.length === 1 && types[0] === "object")
  return isObjects && (haveDisjointProperty(a, b, levels) || forbids(a, b) || forbids(b, a))
}

function listedIn({ const: only, enum: list }: Exclude<Schema, boolean>): readonly unknown[] | undefined {
  if (only !== undefined) return [only]
  return Array.isArray(list) ? (list as readonly unknown[]) : undefined
}

function kindsOf(
  schema: Exclude<Schema, boolean>,
  values: readonly unknown[] | undefined,
): readonly string[] {
  if (values !== undefined) return [...new Set(values.map(kindOf))]
  // Keywords of one type allow all values of others.
  if (schema["type"] === undefined) return ["object", "array", "string", "number", "boolean", "null"]
  return typesOf(schema, "#").map((type) => (type === "integer" ? "number" : type))
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value
}

function haveDisjointProperty(
  a: Exclude<Schema, boolean>,
  b: Exclude<Schema, boolean>,
  levels: number,
): boolean {
  const [propertiesOfA, propertiesOfB] = [a["properties"], b["properties"]]
  if (!isRecord(propertiesOfA) || !isRecord(propertiesOfB)) return false
  return requiredOf(a).some((name) => {
    const [one, other] = [propertiesOfA[name], propertiesOfB[name]]
    return (
      requiredOf(b).includes(name) && isRecord(one) && isRecord(other) && areDisjoint(one, other, levels - 1)
    )
  })
}

/** Does `a` demand a property that `b` does not allow? */
function forbids(a: Exclude<Schema, boolean>, b: Exclude<Schema, boolean>): boolean {
  const { properties, additionalProperties, patternProperties } = b
  if (!isRecord(properties) || additionalProperties !== false || patternProperties !== undefined) return false
  return requiredOf(a).some((name) => !Object.hasOwn(properties, name))
}

function requiredOf({ required }: Exclude<Schema, boolean>): readonly string[] {
  return Array.isArray(required) ? required.filter((name) => typeof name === "string") : []
}
