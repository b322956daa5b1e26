import { describe, expect, test } from "bun:test"
import { characters } from "../../src/grammar/node"
import { parseRegex } from "../../src/grammar/regex/parse"
import { searched } from "../../src/grammar/regex/to-node"
import { matches } from "../support/grammar-match"

function finds(pattern: string, text: string): boolean {
  return matches({ rules: new Map([["root", searched(parseRegex(pattern), characters)]]) }, text)
}

const TEXTS = [
  "",
  "a",
  "b",
  "ab",
  "ba",
  "abc",
  "aab",
  "A1",
  "a-b",
  "12",
  "é",
  "a b",
  "a\nb",
  "\\",
  "abab",
  "_x",
  "💡",
]

describe("a pattern finds what JavaScript's finds", () => {
  test.each([
    "a",
    "^a",
    "a$",
    "^a$",
    "^a|b$",
    "^(a|b)+$",
    "(^a|b$)",
    "^$",
    "",
    "^[a-c]{2,3}$",
    "^[^a]$",
    "^\\d+$",
    "^\\w*$",
    "^\\W$",
    "\\s",
    "^\\S+$",
    "^.$",
    "^..$",
    "^(?:ab)*$",
    "^(a?b?)*$",
    "^(a*)+b$",
    "^a??b$",
    "^\\u00e9$",
    "^\\u{1F4A1}$",
    "^\\ud83d\\udca1$",
    "^[\\d-]+$",
    "^a[\\-]b$",
    "^\\\\$",
    "^(?<name>a)b$",
    "^[]$",
    "^[^]$",
    "^(a|)$",
  ])("%s", (pattern) => {
    for (const text of TEXTS)
      expect([text, finds(pattern, text)]).toEqual([text, new RegExp(pattern, "u").test(text)])
  })
})

test.each([
  ["(?=a)b", "lookaround"],
  ["(?<!a)b", "lookaround"],
  ["(a)\\1", "back references"],
  ["\\bword\\b", "word boundaries"],
  ["\\p{L}", "Unicode properties"],
  ["a^b", "anchors in the middle"],
  ["a{2001}", "a repetition of more than 2000"],
  ["(", "a group that is not closed at character 1"],
  ["a)", "an unmatched ')' at character 1"],
  ["*a", "'*' with nothing before it"],
  ["[b-a]", "a range whose ends are out of order"],
  ["a{3,2}", "a repetition whose numbers are out of order"],
  ["\\y", "the unknown escape \\y"],
  ["(".repeat(100) + ")".repeat(100), "groups within each other"],
])("%s is refused: %s", (pattern, reason) => {
  expect(() => finds(pattern, "a")).toThrow(reason)
})
