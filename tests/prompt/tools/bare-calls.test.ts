import { describe, expect, test } from "bun:test"
import { certainTriggers, withBareCalls } from "../../../src/prompt/tools/bare-calls"
import { ANY_ID, markerText, type ToolSyntax } from "../../../src/prompt/tools/syntax"
import { ToolCallParser } from "../../../src/prompt/tools/tool-call-parser"
import { forEachSplit } from "../../support/splits"

const HERMES: ToolSyntax = {
  origin: "learned",
  sectionStart: [],
  separator: markerText("\n"),
  sectionEnd: [],
  call: {
    start: markerText('<tool_call>\n{"name": "'),
    nameEnd: markerText('", "arguments": '),
    arguments: { type: "json" },
    end: markerText("}\n</tool_call>"),
  },
  isParallel: true,
  idForm: ANY_ID,
}

/** What is read of an answer: texts, and calls as `name(arguments)`. */
function read(pieces: readonly string[]): string[] {
  const parts: string[] = []
  let text = ""
  let call = ""
  const parser = new ToolCallParser({
    syntax: withBareCalls(HERMES),
    tools: [{ name: "f", isStrict: false }],
    sink: {
      text: (more) => void (text += more),
      startCall: ({ name }) => {
        if (text !== "") parts.push(text)
        text = ""
        call = `${name}(`
      },
      argumentsText: (json) => void (call += json),
      endCall: () => parts.push(`${call})`),
    },
  })
  for (const piece of pieces) parser.push(piece)
  parser.end()
  return text === "" ? parts : [...parts, text]
}

describe("calls without the tags around them", () => {
  test.each([
    ['{"name": "f", "arguments": {"a": 1}}', ['f({"a": 1})']],
    ['So: {"name": "f", "arguments": {}}', ["So:", "f({})"]],
    ['<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>', ["f({})"]],
    ['{\n  "name": "f",\n  "arguments": {\n    "a": 1\n  }\n}', ['f({\n    "a": 1\n  })']],
    ['So:\n```json\n{\n  "name": "f",\n  "arguments": {}\n}\n```', ["So:", "f({})"]],
    ['```json\n{"name": "f", "arguments": {}}\n```', ["f({})"]],
    ['```json\n{"name": "Ada"}\n```', ['```json\n{"name": "Ada"}\n```']],
    ['{"name": "Ada", "arguments": {}}', ['{"name": "Ada", "arguments": {}}']],
    ['{"name": "f"}', ['{"name": "f"}']],
  ])("%s", (answer, expected) => {
    forEachSplit(answer, (pieces) => expect(read(pieces)).toEqual(expected))
  })

  test("begin where nothing else can follow: with the name of a tool", () => {
    const tools = [
      { name: "f", isStrict: false },
      { name: "g", isStrict: false },
    ]
    const triggers = certainTriggers(withBareCalls(HERMES), { tools, choice: "auto", isParallel: true })
    expect(triggers.map(({ texts }) => texts[0])).toEqual([
      "<tool_call>",
      '```json\n{\n  "name": "f"',
      '{\n  "name": "f"',
      '```json\n{"name": "f"',
      '{"name": "f"',
    ])
    expect(triggers.at(-1)).toEqual({ after: '{"name": "', texts: ['{"name": "f"', '{"name": "g"'] })
  })

  test("are not read where nothing stands around them, or where the section has markers of its own", () => {
    const bare: ToolSyntax = { ...HERMES, call: { ...HERMES.call, start: markerText('{"name": "') } }
    expect(withBareCalls(bare)).toBe(bare)
    const section: ToolSyntax = { ...HERMES, sectionStart: markerText("[CALLS]") }
    expect(withBareCalls(section)).toBe(section)
  })
})
