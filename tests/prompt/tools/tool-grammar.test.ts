import { describe, expect, test } from "bun:test"
import Schema from "typebox/schema"
import type { Tool, ToolUse } from "../../../src/domain/tools"
import { parseGbnf } from "../../../src/grammar/gbnf/parse"
import { toGbnf } from "../../../src/grammar/print"
import { triggersOf } from "../../../src/prompt/tools/syntax"
import { ToolCallParser } from "../../../src/prompt/tools/tool-call-parser"
import { toolGrammar } from "../../../src/prompt/tools/tool-grammar"
import { matches } from "../../support/grammar-match"
import { FAMILIES, type Family, tokensOf, TOOLS } from "./families"
import { randomText, type Written } from "./random-text"
import { read, Reader, seeded } from "./reading"

/** Tools whose schemas use all that calls are made of. */
const VARIED: readonly Tool[] = [
  ...TOOLS,
  {
    name: "order",
    isStrict: false,
    parameters: {
      type: "object",
      properties: {
        kind: { type: "string", enum: ["tea", "coffee", "<b>"] },
        amount: { type: "number", minimum: 0, maximum: 20 },
        code: { type: "string", pattern: "^[A-Z<>]{2}-[0-9]{3}$" },
        short: { type: "string", maxLength: 5 },
        level: { enum: [1, "one", null, true] },
        lines: {
          type: "array",
          minItems: 1,
          items: {
            type: "object",
            properties: { text: { type: "string" }, count: { type: "integer" } },
            required: ["text"],
          },
        },
      },
      required: ["kind", "lines"],
    },
  },
  { name: "free", isStrict: false },
  {
    name: "either",
    isStrict: false,
    parameters: {
      $defs: { size: { type: "integer", minimum: 1 } },
      anyOf: [
        { type: "object", properties: { a: { $ref: "#/$defs/size" } }, required: ["a"] },
        { type: "object", properties: { b: { type: "boolean" }, c: { type: "null" } }, required: ["b"] },
      ],
    },
  },
]

const ANY: ToolUse = { tools: VARIED, choice: "required", isParallel: true }

function grammarOf(family: Family, use: ToolUse = ANY, after?: string) {
  const options = { syntax: family.syntax, use, ...(after !== undefined && { after }) }
  return toolGrammar(options)
}

/** What a parser reads in a text with tokens. */
function readWritten(family: Family, written: readonly Written[], before = ""): Reader {
  const reader = new Reader()
  const controlTokens = tokensOf(family)
  const parser = new ToolCallParser({ syntax: family.syntax, tools: VARIED, sink: reader, controlTokens })
  parser.push(before)
  for (const each of written)
    if (typeof each === "string") parser.push(each)
    else expect(parser.token(each)).toBe(true)
  parser.end()
  return reader
}

describe.each(FAMILIES.map((family) => [family.name, family] as const))("%s", (_, family) => {
  // Variants are read, but not forced; nor is a form that only other models write.
  const forced = family.examples.filter(({ calls }) => calls.length > 0)

  test("allows what its template renders", () => {
    const { grammar } = grammarOf(family)
    const shown = parseGbnf(toGbnf(grammar))
    const allowed = forced.filter(({ text, content = "" }) => content === "" && matches(shown, text))
    expect(allowed.length).toBeGreaterThan(0)
  })

  test("allows only calls, which are read as such and are valid", () => {
    const { grammar } = toolGrammar({ syntax: family.syntax, use: ANY, controlTokens: tokensOf(family) })
    const random = seeded(7)
    for (let round = 0; round < 60; round++) {
      const written = randomText(grammar, random)
      const { content, calls } = readWritten(family, written)
      const shown = JSON.stringify(written.join(""))
      expect([shown, content]).toEqual([shown, ""])
      expect(calls.length).toBeGreaterThan(0)
      if (!family.syntax.isParallel) expect(calls).toHaveLength(1)
      for (const { name, json, end } of calls) expectValid(name, json, end?.isWhole, shown)
      expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length)
    }
  })

  test("goes on after each trigger", () => {
    for (const trigger of triggersOf(family.syntax)) {
      const { grammar } = grammarOf(family, ANY, trigger)
      const random = seeded(11)
      for (let round = 0; round < 20; round++) {
        const rest = randomText(grammar, random).join("")
        const { content, calls } = read(family.syntax, [`Well. ${trigger}${rest}`], VARIED)
        const shown = JSON.stringify(trigger + rest)
        expect([shown, content.trimEnd()]).toEqual([shown, "Well."])
        expect(calls.length).toBeGreaterThan(0)
        for (const { name, json, end } of calls) expectValid(name, json, end?.isWhole, shown)
      }
    }
  })

  test("has one call only, of the tools that may be called, where that is wanted", () => {
    const { grammar } = grammarOf(family, { ...ANY, callable: ["now"], isParallel: false })
    const random = seeded(3)
    for (let round = 0; round < 10; round++) {
      const { calls } = read(family.syntax, [randomText(grammar, random).join("")], VARIED)
      expect(calls.map(({ name, json }) => [name, JSON.parse(json)])).toEqual([["now", {}]])
    }
  })
})

function expectValid(name: string, json: string, isWhole: boolean | undefined, shown: string): void {
  const tool = VARIED.find((each) => each.name === name)
  const value: unknown = JSON.parse(json)
  const schema = tool?.parameters ?? { type: "object" }
  expect([shown, name, json, isWhole, Schema.Check(schema, value)]).toEqual([shown, name, json, true, true])
}
