import { expect } from "bun:test"
import Schema from "typebox/schema"
import type { Tool, ToolUse } from "../../../src/domain/tools"
import type { ControlToken } from "../../../src/prompt/tools/control-tokens"
import type { ToolSyntax } from "../../../src/prompt/tools/syntax"
import { ToolCallParser, type ToolCallParserOptions } from "../../../src/prompt/tools/tool-call-parser"
import { toolGrammar } from "../../../src/prompt/tools/tool-grammar"
import { TOOLS } from "./families"
import { randomText, type Written } from "./random-text"
import { Reader, seeded } from "./reading"

/** Tools whose schemas use all that calls are made of. */
export const VARIED: readonly Tool[] = [
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
        level: { enum: [1, "one", null, true, "2", "null"] },
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

export const ANY: ToolUse = { tools: VARIED, choice: "required", isParallel: true }

export interface Agreement {
  readonly syntax: ToolSyntax
  readonly controlTokens?: readonly ControlToken[]
  readonly use?: ToolUse
  /** A trigger, which the answer begins with; the grammar goes on from there. */
  readonly after?: string
  readonly rounds: number
}

/** Random texts of the grammar are calls to the parser, and their arguments are valid. */
export function expectAgreement({ syntax, controlTokens = [], use = ANY, after, rounds }: Agreement): void {
  const { grammar } = toolGrammar({ syntax, use, controlTokens, ...(after !== undefined && { after }) })
  const random = seeded(7)
  for (let round = 0; round < rounds; round++) {
    const written = randomText(grammar, random)
    const before = after === undefined ? "" : `Well. ${after}`
    const { content, calls } = readWritten({ syntax, controlTokens, tools: use.tools }, [before, ...written])
    const shown = JSON.stringify(before + written.join(""))
    expect([shown, content.trimEnd()]).toEqual([shown, after === undefined ? "" : "Well."])
    expect(calls.length).toBeGreaterThan(0)
    if (!syntax.isParallel || !use.isParallel) expect(calls).toHaveLength(1)
    for (const { name, json, end } of calls) expectValid(use, name, json, end?.isWhole, shown)
    expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length)
  }
}

/** What a parser reads in a text with tokens. */
function readWritten(options: Omit<ToolCallParserOptions, "sink">, written: readonly Written[]): Reader {
  const reader = new Reader()
  const parser = new ToolCallParser({ ...options, sink: reader })
  for (const each of written)
    if (typeof each === "string") parser.push(each)
    else expect(parser.token(each)).toBe(true)
  parser.end()
  return reader
}

function expectValid(
  { tools, callable }: ToolUse,
  name: string,
  json: string,
  isWhole: boolean | undefined,
  shown: string,
): void {
  if (callable !== undefined) expect(callable).toContain(name)
  const tool = tools.find((each) => each.name === name)
  const value: unknown = JSON.parse(json)
  const schema = tool?.parameters ?? { type: "object" }
  expect([shown, name, json, isWhole, Schema.Check(schema, value)]).toEqual([shown, name, json, true, true])
}
