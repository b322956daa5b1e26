/** A keyword of JSON Schema: documents that it allows and some that it does not, in the spelling of a generator. */
export interface SchemaCase {
  readonly name: string
  readonly schema: unknown
  readonly valid: readonly string[]
  readonly invalid: readonly string[]
  /** Valid, but never generated. */
  readonly narrower?: readonly string[]
  /** Where the keyword is reported as not enforced; the invalid documents are then not excluded. */
  readonly unenforced?: string
}

export const SCHEMA_CASES: readonly SchemaCase[] = [
  {
    name: "object required",
    schema: {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "integer" } },
      required: ["a", "b"],
      additionalProperties: false,
    },
    valid: ['{"a": "q", "b": 1}'],
    invalid: ['{"a": "q"}', '{"b": 1}', '{"a": "q", "b": 1, "z": 2}', '{"a": 1, "b": 1}'],
  },
  {
    name: "texts longer than a grammar counts",
    schema: { type: "string", minLength: 1, maxLength: 524_288 },
    valid: ['"a"', `"${"a".repeat(3000)}"`],
    invalid: ['""'],
    unenforced: "#/maxLength",
  },
  {
    name: "more items than a grammar counts",
    schema: { type: "array", items: { const: 1 }, minItems: 2500 },
    valid: [`[${Array(2500).fill(1).join(",")}]`],
    invalid: ["[1]"],
    unenforced: "#/minItems",
  },
  {
    name: "optional properties",
    schema: {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "integer" }, c: { type: "string" } },
      required: ["b"],
      additionalProperties: false,
    },
    valid: ['{"b": 1}', '{"a": "q", "b": 1}', '{"a": "q", "b": 1, "c": "r"}', '{"b": 1, "c": "r"}'],
    invalid: ["{}", '{"a": "q"}', '{"a": "q", "b": 1, "z": 1}'],
  },
  {
    name: "all optional",
    schema: {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "integer" } },
      required: [],
      additionalProperties: false,
    },
    valid: ["{}", '{"a": "q"}', '{"b": 1}', '{"a": "q", "b": 1}'],
    invalid: ['{"z": 1}'],
  },
  {
    name: "additionalProperties absent = open",
    schema: { type: "object", properties: { a: { type: "string" } }, required: ["a"] },
    valid: ['{"a": "q"}'],
    invalid: ['{"z": 1}'],
    narrower: ['{"a": "q", "z": 1}'],
  },
  {
    name: "additionalProperties true",
    schema: {
      type: "object",
      properties: { a: { type: "string" } },
      required: ["a"],
      additionalProperties: true,
    },
    valid: ['{"a": "q"}', '{"a": "q", "z": [1]}'],
    invalid: ['{"z": 1}'],
  },
  {
    name: "additionalProperties schema",
    schema: {
      type: "object",
      properties: { a: { type: "string" } },
      required: ["a"],
      additionalProperties: { type: "integer" },
    },
    valid: ['{"a": "q"}', '{"a": "q", "z": 1}'],
    invalid: ['{"a": "q", "z": "t"}'],
  },
  {
    name: "map only",
    schema: { type: "object", additionalProperties: { type: "integer" } },
    valid: ["{}", '{"q": 1, "r": 2}'],
    invalid: ['{"q": "1"}'],
  },
  {
    name: "patternProperties",
    schema: {
      type: "object",
      patternProperties: { "^x_": { type: "integer" } },
      additionalProperties: false,
    },
    valid: ['{"x_1": 1}'],
    invalid: ['{"y": 1}', '{"x_1": "a"}'],
  },
  {
    name: "propertyNames",
    schema: {
      type: "object",
      propertyNames: { pattern: "^[a-z]+$" },
      additionalProperties: { type: "integer" },
    },
    valid: ['{"ab": 1}'],
    invalid: ['{"A1": 1}'],
  },
  {
    name: "minProperties/maxProperties",
    schema: { type: "object", additionalProperties: { type: "integer" }, minProperties: 1, maxProperties: 2 },
    valid: ['{"a": 1}'],
    invalid: ["{}", '{"a": 1, "b": 2, "c": 3}'],
  },
  {
    name: "enum strings",
    schema: {
      type: "object",
      properties: { x: { enum: ["red", "green"] } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "red"}'],
    invalid: ['{"x": "blue"}', '{"x": "redd"}'],
  },
  {
    name: "enum mixed",
    schema: {
      type: "object",
      properties: { x: { enum: ["red", 1, null, true] } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "red"}', '{"x": 1}', '{"x": null}', '{"x": true}'],
    invalid: ['{"x": "1"}', '{"x": 2}', '{"x": false}'],
  },
  {
    name: "const",
    schema: {
      type: "object",
      properties: { x: { const: "k" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "k"}'],
    invalid: ['{"x": "kk"}'],
  },
  {
    name: "const object",
    schema: {
      type: "object",
      properties: { x: { const: { a: [1, 2] } } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": {"a": [1, 2]}}'],
    invalid: ['{"x": {"a": [1]}}'],
  },
  {
    name: "type union",
    schema: {
      type: "object",
      properties: { x: { type: ["string", "null"] } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "q"}', '{"x": null}'],
    invalid: ['{"x": 1}'],
  },
  {
    name: "nullable by anyOf",
    schema: {
      type: "object",
      properties: { x: { anyOf: [{ type: "string" }, { type: "null" }] } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "q"}', '{"x": null}'],
    invalid: ['{"x": 1}'],
  },
  {
    name: "anyOf objects",
    schema: {
      type: "object",
      properties: {
        x: {
          anyOf: [
            {
              type: "object",
              properties: { k: { const: "a" }, v: { type: "string" } },
              required: ["k", "v"],
              additionalProperties: false,
            },
            {
              type: "object",
              properties: { k: { const: "b" }, n: { type: "integer" } },
              required: ["k", "n"],
              additionalProperties: false,
            },
          ],
        },
      },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": {"k": "a", "v": "q"}}', '{"x": {"k": "b", "n": 1}}'],
    invalid: ['{"x": {"k": "a", "n": 1}}'],
  },
  {
    name: "anyOf beside properties",
    schema: {
      type: "object",
      properties: { a: { type: "string" } },
      required: ["a"],
      anyOf: [{ required: ["a"] }, { required: ["b"] }],
    },
    valid: ['{"a": "q"}'],
    invalid: ["{}"],
  },
  {
    name: "oneOf (disjoint)",
    schema: {
      type: "object",
      properties: { x: { oneOf: [{ type: "string" }, { type: "integer" }] } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "q"}', '{"x": 1}'],
    invalid: ['{"x": true}'],
  },
  {
    name: "allOf merge",
    schema: {
      allOf: [
        { type: "object", properties: { a: { type: "string" } }, required: ["a"] },
        { type: "object", properties: { b: { type: "integer" } }, required: ["b"] },
      ],
    },
    valid: ['{"a": "q", "b": 1}'],
    invalid: ['{"a": "q"}'],
  },
  {
    name: "allOf with $ref",
    schema: {
      $defs: { base: { type: "object", properties: { a: { type: "string" } }, required: ["a"] } },
      allOf: [{ $ref: "#/$defs/base" }, { properties: { b: { type: "integer" } }, required: ["b"] }],
    },
    valid: ['{"a": "q", "b": 1}'],
    invalid: ['{"b": 1}'],
  },
  {
    name: "$ref $defs",
    schema: {
      $defs: {
        p: {
          type: "object",
          properties: { n: { type: "string" } },
          required: ["n"],
          additionalProperties: false,
        },
      },
      type: "object",
      properties: { x: { $ref: "#/$defs/p" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": {"n": "q"}}'],
    invalid: ['{"x": {"n": 1}}'],
  },
  {
    name: "$ref definitions",
    schema: {
      definitions: {
        p: {
          type: "object",
          properties: { n: { type: "string" } },
          required: ["n"],
          additionalProperties: false,
        },
      },
      type: "object",
      properties: { x: { $ref: "#/definitions/p" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": {"n": "q"}}'],
    invalid: ['{"x": {"n": 1}}'],
  },
  {
    name: "$ref recursion",
    schema: {
      $defs: {
        n: {
          type: "object",
          properties: { v: { type: "integer" }, next: { anyOf: [{ $ref: "#/$defs/n" }, { type: "null" }] } },
          required: ["v", "next"],
          additionalProperties: false,
        },
      },
      $ref: "#/$defs/n",
    },
    valid: ['{"v": 1, "next": {"v": 2, "next": null}}'],
    invalid: ['{"v": 1, "next": {"v": 2}}'],
  },
  {
    name: "$ref # (root)",
    schema: {
      type: "object",
      properties: { v: { type: "integer" }, kids: { type: "array", items: { $ref: "#" } } },
      required: ["v", "kids"],
      additionalProperties: false,
    },
    valid: ['{"v": 1, "kids": [{"v": 2, "kids": []}]}'],
    invalid: ['{"v": 1, "kids": [{"v": 2}]}'],
  },
  {
    name: "$ref + description sibling",
    schema: {
      $defs: { p: { type: "integer" } },
      type: "object",
      properties: { x: { $ref: "#/$defs/p", description: "d" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": 1}'],
    invalid: ['{"x": "q"}'],
  },
  {
    name: "array items",
    schema: {
      type: "object",
      properties: { x: { type: "array", items: { type: "integer" } } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": []}', '{"x": [1, 2]}'],
    invalid: ['{"x": ["q"]}', '{"x": [1, "q"]}'],
  },
  {
    name: "minItems/maxItems",
    schema: {
      type: "object",
      properties: { x: { type: "array", items: { type: "integer" }, minItems: 2, maxItems: 3 } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": [1, 2]}', '{"x": [1, 2, 3]}'],
    invalid: ['{"x": [1]}', '{"x": [1, 2, 3, 4]}'],
  },
  {
    name: "prefixItems",
    schema: {
      type: "object",
      properties: {
        x: {
          type: "array",
          prefixItems: [{ type: "string" }, { type: "integer" }],
          items: false,
          minItems: 2,
        },
      },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": ["q", 1]}'],
    invalid: ['{"x": [1, "q"]}', '{"x": ["q", 1, 2]}'],
  },
  {
    name: "prefixItems + items",
    schema: {
      type: "object",
      properties: {
        x: { type: "array", prefixItems: [{ type: "string" }], items: { type: "integer" }, minItems: 1 },
      },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": ["q"]}', '{"x": ["q", 1]}'],
    invalid: ['{"x": ["q", "r"]}'],
  },
  {
    name: "uniqueItems",
    schema: {
      type: "object",
      properties: { x: { type: "array", items: { enum: ["a", "b"] }, uniqueItems: true } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": ["a", "b"]}'],
    invalid: ['{"x": ["a", "a"]}'],
    unenforced: "#/properties/x/uniqueItems",
  },
  {
    name: "contains",
    schema: {
      type: "object",
      properties: { x: { type: "array", contains: { const: 1 } } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": [1]}'],
    invalid: ['{"x": [2]}'],
  },
  {
    name: "minLength/maxLength",
    schema: {
      type: "object",
      properties: { x: { type: "string", minLength: 2, maxLength: 4 } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "ab"}', '{"x": "abcd"}', '{"x": "日本"}'],
    invalid: ['{"x": "a"}', '{"x": "abcde"}'],
  },
  {
    name: "pattern anchored",
    schema: {
      type: "object",
      properties: { x: { type: "string", pattern: "^[A-Z]{2}[0-9]+$" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "AB12"}'],
    invalid: ['{"x": "A1"}', '{"x": "AB"}', '{"x": "AB12x"}'],
  },
  {
    name: "pattern unanchored",
    schema: {
      type: "object",
      properties: { x: { type: "string", pattern: "ab+c" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "xxabbcyy"}'],
    invalid: ['{"x": "ac"}'],
  },
  {
    name: "pattern \\d \\w",
    schema: {
      type: "object",
      properties: { x: { type: "string", pattern: "^\\d{3}-\\w+$" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "123-ab"}'],
    invalid: ['{"x": "12a-ab"}'],
  },
  {
    name: "pattern lookahead",
    schema: {
      type: "object",
      properties: { x: { type: "string", pattern: "^(?=.*[0-9])[a-z0-9]+$" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "ab1"}'],
    invalid: ['{"x": "ab"}'],
    unenforced: "#/properties/x/pattern",
  },
  {
    name: "format date",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "date" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "2026-02-03"}'],
    invalid: ['{"x": "2026-2-3"}'],
  },
  {
    name: "format time",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "time" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "10:20:30Z"}'],
    invalid: ['{"x": "10h"}'],
  },
  {
    name: "format date-time",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "date-time" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "2026-02-03T10:20:30Z"}'],
    invalid: ['{"x": "yesterday"}'],
  },
  {
    name: "format uuid",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "uuid" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "123e4567-e89b-12d3-a456-426614174000"}'],
    invalid: ['{"x": "123"}'],
  },
  {
    name: "format email",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "email" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "a.b@c.org"}'],
    invalid: ['{"x": "nope"}'],
  },
  {
    name: "format hostname",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "hostname" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "a.example.org"}'],
    invalid: ['{"x": "a b"}'],
  },
  {
    name: "format ipv4",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "ipv4" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "10.0.0.1"}'],
    invalid: ['{"x": "10.0.0"}'],
  },
  {
    name: "format ipv6",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "ipv6" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "::1"}'],
    invalid: ['{"x": "zz"}'],
  },
  {
    name: "format duration",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "duration" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "P1DT2H"}'],
    invalid: ['{"x": "1 day"}'],
  },
  {
    name: "format uri",
    schema: {
      type: "object",
      properties: { x: { type: "string", format: "uri" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "https://a.org/x?y=1"}'],
    invalid: ['{"x": "not a uri"}'],
  },
  {
    name: "integer min/max",
    schema: {
      type: "object",
      properties: { x: { type: "integer", minimum: -5, maximum: 120 } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": -5}', '{"x": 0}', '{"x": 120}'],
    invalid: ['{"x": -6}', '{"x": 121}', '{"x": 1000}'],
  },
  {
    name: "number min/max",
    schema: {
      type: "object",
      properties: { x: { type: "number", minimum: 0, maximum: 1 } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": 0}', '{"x": 0.5}', '{"x": 1}'],
    invalid: ['{"x": -1}', '{"x": 1.5}', '{"x": 2}'],
  },
  {
    name: "exclusiveMinimum",
    schema: {
      type: "object",
      properties: { x: { type: "integer", exclusiveMinimum: 0 } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": 1}', '{"x": 99}'],
    invalid: ['{"x": 0}', '{"x": -1}'],
  },
  {
    name: "multipleOf",
    schema: {
      type: "object",
      properties: { x: { type: "integer", multipleOf: 5 } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": 0}', '{"x": 5}', '{"x": 110}'],
    invalid: ['{"x": 3}'],
  },
  {
    name: "number",
    schema: {
      type: "object",
      properties: { x: { type: "number" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": 1}', '{"x": -1.5}', '{"x": 1e+20}'],
    invalid: ['{"x": "1"}'],
  },
  {
    name: "boolean",
    schema: {
      type: "object",
      properties: { x: { type: "boolean" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": true}'],
    invalid: ['{"x": "true"}'],
  },
  {
    name: "not",
    schema: {
      type: "object",
      properties: { x: { not: { type: "string" } } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": 1}'],
    invalid: ['{"x": "q"}'],
  },
  {
    name: "if/then",
    schema: {
      type: "object",
      properties: { a: { enum: ["p", "q"] }, b: { type: "integer" } },
      required: ["a"],
      if: { properties: { a: { const: "p" } } },
      then: { required: ["b"] },
    },
    valid: ['{"a": "p", "b": 1}'],
    invalid: ['{"a": "p"}'],
    unenforced: "#/if",
  },
  {
    name: "dependentRequired",
    schema: {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "string" } },
      dependentRequired: { a: ["b"] },
      additionalProperties: false,
    },
    valid: ['{"a": "q", "b": "r"}'],
    invalid: ['{"a": "q"}'],
    unenforced: "#/dependentRequired",
  },
  {
    name: "unevaluatedProperties",
    schema: {
      type: "object",
      properties: { a: { type: "string" } },
      required: ["a"],
      unevaluatedProperties: false,
    },
    valid: ['{"a": "q"}'],
    invalid: ['{"a": "q", "z": 1}'],
  },
  {
    name: "true schema / {}",
    schema: { type: "object", properties: { x: {} }, required: ["x"], additionalProperties: false },
    valid: ['{"x": 1}', '{"x": "q"}', '{"x": [1]}', '{"x": {"a": null}}'],
    invalid: ['{"y": 1}'],
  },
  {
    name: "key order changed",
    schema: {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "integer" } },
      required: ["a", "b"],
      additionalProperties: false,
    },
    valid: [],
    invalid: [],
    narrower: ['{"b": 1, "a": "q"}'],
  },
  {
    name: "\\u escape in string",
    schema: {
      type: "object",
      properties: { x: { type: "string" } },
      required: ["x"],
      additionalProperties: false,
    },
    valid: ['{"x": "caf\\u00e9"}'],
    invalid: [],
  },
  {
    name: "any whitespace",
    schema: {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "integer" } },
      required: ["a", "b"],
      additionalProperties: false,
    },
    valid: ['{"a":"q","b":1}', '{\n  "a": "q",\n  "b": 1\n}', '{"a" : "q" , "b" : 1 }'],
    invalid: [],
  },
  {
    name: "key with quote and unicode",
    schema: {
      type: "object",
      properties: { 'a"b': { type: "string" }, é: { type: "integer" } },
      required: ['a"b', "é"],
      additionalProperties: false,
    },
    valid: ['{"a\\"b": "q", "é": 1}'],
    invalid: ['{"ab": "q", "é": 1}'],
  },
  {
    name: "no type, properties only",
    schema: { properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false },
    valid: ['{"a": "q"}'],
    invalid: ['{"a": 1}'],
  },
]
