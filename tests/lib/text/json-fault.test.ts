import { describe, expect, test } from "bun:test"
import { jsonFaultLine } from "../../../src/lib/text/json-fault"

describe("the line at which JSON stops being valid", () => {
  test.each([
    ["a missing value", '{\n  "a": }', 2],
    ["a comma before the end of an object", '{\n  "a": 1,\n}', 3],
    ["a comma before the end of an array", "[\n1,\n]", 3],
    ["a missing comma", '{\n  "a": 1\n  "b": 2\n}', 3],
    ["a missing colon", '{\n  "a" 1\n}', 2],
    ["a key without quotes", "{\n  a: 1\n}", 2],
    ["single quotes", "{\n  'a': 1\n}", 2],
    ["the wrong closing bracket", "[\n{\n]", 3],
    ["a comment", '{\n  // no\n  "a": 1\n}', 2],
    ["a number with a leading zero", "[\n1,\n01\n]", 3],
    ["an unknown word", "[\n1,\n\nyes]", 4],
    ["an unknown escape", '[\n"\\x"]', 2],
    ["a line end in a text", '{\n"a": "b\n"}', 2],
    ["a text that is never closed", '{\n"a": 1,\n"b": "x', 3],
    ["a bracket that is never closed", '{\n  "a": [1,\n 2', 2],
    ["something after the end", "{}\n\n{}", 3],
    ["an empty text", "", 1],
    ["only blank lines", "\n\n", 1],
    ["Windows line ends", '{\r\n"a": 1,\r\n}', 3],
  ])("%s", (_what, text, line) => {
    expect(() => JSON.parse(text)).toThrow()
    expect(jsonFaultLine(text)).toBe(line)
  })

  test("is found in a large and deep text", () => {
    const deep = "[\n".repeat(100_000)
    expect(jsonFaultLine(`${deep}x`)).toBe(100_001)
    const long = `["${"a\\n".repeat(1_000_000)}",\n]`
    expect(jsonFaultLine(long)).toBe(2)
  })

  test("agrees with the parser whether there is one, for any change to a valid text", () => {
    const text = '{"a": [1, -2.5e+3, true, null, {"b\\u00e9": "c\\"d"}], "": {}}'
    const spare = ['"', ",", ":", "{", "}", "[", "]", "0", "-", ".", "e", "\\", " ", "t"]
    for (let at = 0; at <= text.length; at++) {
      const changed = spare.flatMap((char) => [
        text.slice(0, at) + char + text.slice(at),
        text.slice(0, at) + char + text.slice(at + 1),
      ])
      for (const one of [...changed, text.slice(0, at), text.slice(0, at) + text.slice(at + 1)])
        expect([one, jsonFaultLine(one) === undefined]).toEqual([one, isValid(one)])
    }
  })
})

function isValid(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
