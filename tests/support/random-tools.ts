import type { Tool } from "../../src/domain/tools"
import { mulberry } from "./files/mulberry"

/** The part of JSON Schema that {@link randomTools} writes. */
export type SmallSchema =
  | { readonly type: "string"; readonly maxLength: number }
  | { readonly type: "integer"; readonly minimum: number; readonly maximum: number }
  | { readonly type: "boolean" }
  | { readonly enum: readonly (string | number)[] }
  | { readonly type: "array"; readonly items: SmallSchema; readonly maxItems: number }
  | {
      readonly type: "object"
      readonly properties: Readonly<Record<string, SmallSchema>>
      readonly required: readonly string[]
      readonly additionalProperties: false
    }

const WORDS = ["city", "unit", "when", "limit", "note", "tags", "place", "mode", "é✓", "a-b", "x y", 'q"t']

/** Between one and four tools with random names and parameters, the same for a seed. */
export function randomTools(seed: number): readonly (Tool & { readonly parameters?: SmallSchema })[] {
  const random = mulberry(seed)
  const upTo = (most: number): number => Math.floor(random() * (most + 1))
  const pick = <T>(list: readonly T[]): T => list[upTo(list.length - 1)] as T
  const schema = (depth: number): SmallSchema => {
    switch (upTo(depth > 0 ? 5 : 3)) {
      case 0:
        return { type: "string", maxLength: upTo(6) }
      case 1:
        return { type: "integer", minimum: -upTo(50), maximum: upTo(1000) }
      case 2:
        return { type: "boolean" }
      case 3:
        return { enum: ["on", "off", 'a "b"', 7, -1.5].slice(0, 1 + upTo(4)) }
      case 4:
        return { type: "array", items: schema(depth - 1), maxItems: 1 + upTo(2) }
      default:
        return object(depth - 1)
    }
  }
  const object = (depth: number): Extract<SmallSchema, { type: "object" }> => {
    const names = WORDS.filter(() => random() < 0.2)
    return {
      type: "object",
      properties: Object.fromEntries(names.map((name) => [name, schema(depth)])),
      required: names.filter(() => random() < 0.7),
      additionalProperties: false,
    }
  }
  const first = ["get", "set", "find", "do"][upTo(3)]
  return Array.from({ length: 1 + upTo(2) }, (_, index) => ({
    name: `${first}_${pick(["it", "weather", "x-y", "a1"])}${index === 0 ? "" : index}`,
    ...(random() < 0.7 && { description: "Does something." }),
    ...(random() < 0.9 && { parameters: object(1) }),
    isStrict: random() < 0.5,
  }))
}

/** What is wrong with a value; undefined: nothing. */
export function faultIn(schema: SmallSchema, value: unknown): string | undefined {
  if ("enum" in schema)
    return schema.enum.some((each) => each === value) ? undefined : `${String(value)}: not listed`
  switch (schema.type) {
    case "string":
      if (typeof value !== "string") return "no string"
      return Array.from(value).length <= schema.maxLength ? undefined : "too long"
    case "integer":
      if (!Number.isInteger(value)) return "no integer"
      return Number(value) >= schema.minimum && Number(value) <= schema.maximum ? undefined : "out of range"
    case "boolean":
      return typeof value === "boolean" ? undefined : "no boolean"
    case "array":
      if (!Array.isArray(value)) return "no array"
      if (value.length > schema.maxItems) return "too many items"
      return firstFault(value.map((item) => faultIn(schema.items, item)))
    case "object": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return "no object"
      const missing = schema.required.find((name) => !Object.hasOwn(value, name))
      if (missing !== undefined) return `${missing} is missing`
      return firstFault(
        Object.entries(value).map(([name, inner]) => {
          const own = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
          if (own === undefined) return `${name} is unknown`
          const fault = faultIn(own, inner)
          return fault === undefined ? undefined : `${name}: ${fault}`
        }),
      )
    }
  }
}

function firstFault(faults: readonly (string | undefined)[]): string | undefined {
  return faults.find((fault) => fault !== undefined)
}
