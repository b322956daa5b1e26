import { describe, expect, test } from "bun:test"
import { parseGbnf } from "../../src/grammar/gbnf/parse"
import { toGbnf } from "../../src/grammar/print"
import { compileSchema } from "../../src/grammar/schema/compile"
import { matches } from "../support/grammar-match"
import { SCHEMA_CASES } from "./schema-cases"

/** The grammar as llama.cpp gets it: printed and read again. */
function grammarOf(schema: unknown) {
  return parseGbnf(toGbnf(compileSchema(schema).grammar))
}

describe("a schema", () => {
  test.each(SCHEMA_CASES.map((each) => [each.name, each] as const))("with %s", (_name, each) => {
    const grammar = grammarOf(each.schema)
    const { unenforced } = compileSchema(each.schema)
    for (const document of each.valid)
      expect([document, matches(grammar, document)]).toEqual([document, true])
    for (const document of each.narrower ?? [])
      expect([document, matches(grammar, document)]).toEqual([document, false])
    if (each.unenforced !== undefined) {
      expect(unenforced.map(({ path }) => path)).toEqual([each.unenforced])
      return
    }
    expect(unenforced).toEqual([])
    for (const document of each.invalid)
      expect([document, matches(grammar, document)]).toEqual([document, false])
  })

  test("of many values is read value by value only where they differ", () => {
    const values = Array.from({ length: 1000 }, (_, index) => `entry ${index}`)
    const grammar = grammarOf({ enum: values })
    expect(matches(grammar, '"entry 999"')).toBe(true)
    expect(matches(grammar, '"entry 1000"')).toBe(false)
    // A trie has no more leaves than values, and begins once.
    expect(toGbnf(compileSchema({ enum: values }).grammar).match(/entry /g)).toHaveLength(1)
  })

  test.each<[name: string, schema: unknown, valid: string[], invalid: string[]]>([
    ["a pattern", { enum: ["ab", "cd", 1], pattern: "^a" }, ['"ab"', "1"], ['"cd"']],
    ["items", { enum: [[1], ["a"], {}], items: { type: "string" } }, ['["a"]', "{}"], ["[1]"]],
    ["required", { enum: [{}, { a: 1 }], required: ["a"] }, ['{"a":1}'], ["{}"]],
    ["not", { enum: [1, 2, 3], not: { minimum: 3 } }, ["1", "2"], ["3"]],
    ["if", { enum: [1, "a", "b"], if: { type: "string" }, then: { const: "b" } }, ["1", '"b"'], ['"a"']],
    ["contains", { enum: [[1], ["a"]], contains: { type: "string" } }, ['["a"]'], ["[1]"]],
    [
      "uniqueItems",
      {
        enum: [
          [1, 1],
          [1, 2],
        ],
        uniqueItems: true,
      },
      ["[1,2]"],
      ["[1,1]"],
    ],
    ["multipleOf", { enum: [4, 6], multipleOf: 3 }, ["6"], ["4"]],
    [
      "a reference",
      { allOf: [{ $ref: "#/$defs/a" }], enum: [1, "x"], $defs: { a: { type: "string" } } },
      ['"x"'],
      ["1"],
    ],
  ])("of listed values keeps those that satisfy %s", (_name, schema, valid, invalid) => {
    expect(compileSchema(schema).unenforced).toEqual([])
    const grammar = grammarOf(schema)
    for (const document of valid) expect([document, matches(grammar, document)]).toEqual([document, true])
    for (const document of invalid) expect([document, matches(grammar, document)]).toEqual([document, false])
  })

  test("that counts properties which may have the same name says so", () => {
    expect(compileSchema({ type: "object", minProperties: 2 }).unenforced.map(({ path }) => path)).toEqual([
      "#/minProperties",
    ])
    expect(compileSchema({ type: "object", minProperties: 1 }).unenforced).toEqual([])
  })

  test("of which one may match has to exclude the others by what it says, not by what is generated", () => {
    const open = {
      oneOf: [
        { properties: { a: {} }, required: ["a"] },
        { properties: { b: {} }, required: ["b"] },
      ],
    }
    expect(compileSchema(open).unenforced.map(({ path }) => path)).toEqual(["#/oneOf"])
    expect(compileSchema({ oneOf: [{ minLength: 2 }, { minimum: 3 }] }).unenforced).toHaveLength(1)
    const closed = {
      oneOf: open.oneOf.map((each) => ({ ...each, type: "object", additionalProperties: false })),
    }
    expect(compileSchema(closed).unenforced).toEqual([])
  })

  test("of names by a pattern, beside one without other properties, allows none", () => {
    const pattern = { patternProperties: { "^x_": { type: "integer" } } }
    const grammar = grammarOf({
      type: "object",
      allOf: [pattern, { properties: { a: {} }, additionalProperties: false }],
    })
    expect(matches(grammar, '{"x_1":1}')).toBe(false)
    expect(matches(grammar, '{"a":1}')).toBe(true)
  })

  test.each([
    [
      { type: "strin" },
      '#/type must be one of object, array, string, integer, number, boolean, null, got "strin"',
    ],
    [{ properties: [] }, "#/properties must be an object, got []"],
    [{ properties: { a: 1 } }, "#/properties/a must be an object or a boolean, got 1"],
    [{ $ref: "#/$defs/none" }, "#/$ref refers to '#/$defs/none', which does not exist"],
    [{ $ref: "https://example.org/schema" }, "refers to another document"],
    [{ type: "string", minLength: 3, maxLength: 2 }, "#/minLength must not be above maxLength, got 3"],
    [{ type: "string", pattern: "a(" }, "#/pattern is no regular expression"],
    [{ anyOf: [] }, "#/anyOf must not be empty"],
    [false, "# allows no value at all"],
    ["text", '# must be an object or a boolean, got "text"'],
    [{ type: "object", required: ["a"], properties: { a: false } }, "# allows no value at all"],
  ])("that is wrong is refused with the place: %j", (schema, message) => {
    expect(() => compileSchema(schema)).toThrow(message)
  })

  test("that is nested or refers too deeply is refused", () => {
    let deep: unknown = { type: "null" }
    for (let level = 0; level < 100; level++) deep = { type: "array", items: deep }
    expect(() => compileSchema(deep)).toThrow("is nested more than 64 levels deep")
  })

  test("that only refers to itself has no value, and is refused before llama.cpp sees it", () => {
    expect(() => grammarOf({ $ref: "#" })).toThrow("refers to itself")
    expect(() => grammarOf({ anyOf: [{ $ref: "#" }, { type: "null" }] })).toThrow("refers to itself")
    const endless = { type: "object", properties: { next: { $ref: "#" } }, required: ["next"] }
    expect(() => grammarOf(endless)).toThrow("# allows no value at all")
  })

  test("has no beginning that could not be ended", () => {
    const endless = { type: "object", properties: { next: { $ref: "#/$defs/endless" } }, required: ["next"] }
    const schema = {
      type: "object",
      properties: {
        a: { type: "null" },
        b: { $ref: "#/$defs/endless" },
        c: { allOf: [{ type: "null" }, { $ref: "#/$defs/number" }] },
      },
      $defs: { endless, number: { type: "number" } },
    }
    const { grammar } = compileSchema(schema)
    expect(toGbnf(grammar)).not.toContain("x00")
    expect(matches(grammar, '{"a":null}')).toBe(true)
    expect(matches(grammar, "{}")).toBe(true)
    expect(matches(grammar, '{"b":')).toBe(false)
  })
})
