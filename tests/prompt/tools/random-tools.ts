import type { Tool } from "../../../src/domain/tools"

const NAMES = [
  "a",
  "b",
  "city",
  "item",
  "items",
  "type",
  "name",
  "a-b",
  "a_b",
  "x.y",
  "two words",
  "é",
  "$id",
  "null",
]

type Schema = Readonly<Record<string, unknown>>

/** Tools with schemas of all that can be enforced, and with names of which one begins as another does. */
export function randomTools(random: () => number): readonly Tool[] {
  const pick = (length: number): number => Math.floor(random() * length)
  const names = ["get", "get_all", "get_all_of", "set", "name", "set.x-y"].slice(0, 1 + pick(6))
  return names.map((name) => ({ name, isStrict: true, parameters: objectOf(3) }))

  function objectOf(levels: number): Schema {
    const properties = Object.fromEntries(
      Array.from({ length: pick(5) }, () => [NAMES[pick(NAMES.length)] ?? "", schemaOf(levels - 1)]),
    )
    const required = Object.keys(properties).filter(() => random() < 0.5)
    return { type: "object", properties, required }
  }

  function schemaOf(levels: number): Schema {
    const scalars: readonly Schema[] = [
      { type: "string" },
      { type: "string", maxLength: 4 },
      { type: "string", minLength: 1, maxLength: 9 },
      { type: "string", pattern: "^[a-z]{1,3}[0-9]*$" },
      { type: "string", format: "date" },
      { type: "integer" },
      { type: "integer", minimum: -3, maximum: 40 },
      { type: "number", minimum: 0.5 },
      { type: "boolean" },
      { type: "null" },
      { enum: ["1", "true", "null", "a b", ""] },
      { enum: [1, "1", null, false] },
      { const: "only" },
      { type: ["string", "null"] },
      { type: ["integer", "boolean"] },
      { anyOf: [{ type: "integer" }, { type: "string", enum: ["x", "y"] }] },
    ]
    if (levels > 0 && random() < 0.4)
      return random() < 0.5
        ? objectOf(levels)
        : { type: "array", items: schemaOf(levels - 1), minItems: pick(2), maxItems: 2 + pick(3) }
    return scalars[pick(scalars.length)] ?? {}
  }
}
