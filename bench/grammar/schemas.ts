/** The schemas that grammars are measured with. */
export interface MeasuredSchema {
  readonly name: string
  readonly schema: Readonly<Record<string, unknown>>
}

const TEXT = { type: "string" }

function named(count: number, type: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`field_${index}`, type]))
}

function values(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `value ${(index * 7919) % 100_003}`)
}

export const FOUR_FIELDS: MeasuredSchema = {
  name: "4 fields",
  schema: {
    type: "object",
    properties: { name: TEXT, age: { type: "integer" }, city: TEXT, isMember: { type: "boolean" } },
    required: ["name", "age", "city", "isMember"],
    additionalProperties: false,
  },
}

export const SCHEMAS: readonly MeasuredSchema[] = [
  { name: "any JSON object", schema: { type: "object" } },
  FOUR_FIELDS,
  {
    name: "30 required",
    schema: { type: "object", properties: named(30, TEXT), required: Object.keys(named(30, TEXT)) },
  },
  { name: "100 optional", schema: { type: "object", properties: named(100, { type: "integer" }) } },
  {
    name: "enum of 250, pattern, 20 to 200 characters, uuid, date-time",
    schema: {
      type: "object",
      properties: {
        kind: { enum: values(250) },
        code: { type: "string", pattern: "^[A-Z]{2,3}-[0-9]{4,8}$" },
        text: { type: "string", minLength: 20, maxLength: 200 },
        id: { type: "string", format: "uuid" },
        at: { type: "string", format: "date-time" },
      },
      required: ["kind", "code", "text", "id", "at"],
    },
  },
  {
    name: "recursive tree",
    schema: {
      $ref: "#/$defs/node",
      $defs: {
        node: {
          type: "object",
          properties: { name: TEXT, children: { type: "array", items: { $ref: "#/$defs/node" } } },
          required: ["name", "children"],
        },
      },
    },
  },
  {
    name: "anyOf of 8 objects",
    schema: {
      anyOf: Array.from({ length: 8 }, (_, index) => ({
        type: "object",
        properties: { kind: { const: `kind ${index}` }, [`value_${index}`]: { type: "number" }, note: TEXT },
        required: ["kind", `value_${index}`],
      })),
    },
  },
  { name: "enum of 1,000", schema: { enum: values(1000) } },
  { name: "enum of 5,000", schema: { enum: values(5000) } },
]
