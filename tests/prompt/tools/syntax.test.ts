import { describe, expect, test } from "bun:test"
import { ANY_ID, markerText, type ToolSyntax, triggersOf } from "../../../src/prompt/tools/syntax"

/** A family with these markers before the first name. */
function syntax(section: string, start: string): ToolSyntax {
  return {
    origin: "known",
    sectionStart: markerText(section),
    separator: [],
    sectionEnd: [],
    call: { start: markerText(start), nameEnd: [], arguments: { type: "json" }, end: [] },
    isParallel: true,
    idForm: ANY_ID,
  }
}

describe("calls are recognized by", () => {
  test.each([
    ["", '<tool_call>\n{"name": "', "<tool_call>"],
    ["", '<|function_call|>{"name": "', "<|function_call|>"],
    ["", "<tool_call>\n<function=", "<tool_call>"],
    ["", "<tool_call>", "<tool_call>"],
    ["", '{"name": "', '{"name": "'],
    ["", "<function=", "<function="],
    ["", "<|tool_call>call:", "<|tool_call>call:"],
    ["", " to=functions.", " to=functions."],
    ["", '<sep>\n\nfunction call<role>\n{"name": "', "<sep>\n\nfunction call<role>"],
    ["\n\n<calls>\n", "<call>", "<calls>"],
    ["\n", "<call>", "<call>"],
    ["[TOOL_CALLS][", '{"name": "', "[TOOL_CALLS]"],
    ["functools[", '{"name": "', "functools["],
    ["Action:\n```json\n[", '\n    {\n        "tool_name": "', "Action:\n```json"],
    ["]<]minimax[>[<tool_call>", "\n", "]<]minimax[>[<tool_call>"],
    ["<|open|>tools<|sep|>", "<|open|>call", "<|open|>tools<|sep|>"],
  ])("what begins them: %j %j", (section, start, trigger) => {
    expect(triggersOf(syntax(section, start))).toEqual([trigger])
  })

  test("their place alone where the prompt has begun them", () => {
    expect(triggersOf({ ...syntax("", "<call>"), isOpened: true })).toEqual([])
  })
})
