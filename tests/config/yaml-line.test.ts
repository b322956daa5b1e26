import { describe, expect, test } from "bun:test"
import { faultyLine } from "../../src/config/yaml-line"

describe("the line at which YAML stops being valid", () => {
  test.each([
    ["a nested key below a value", "a: 1\n  b: 2\n", 2],
    ["a key out of its column", "defaults:\n  ctx: 4096\n ctx: 1\nlog: {}\n", 3],
    ["two colons", "a: b: c", 1],
    ["a tab", "x: 1\n\ty: 1\n", 2],
    ["a quote that is never closed", 'a: 1\nb: "x\nc: 1\n', 2],
    ["a bracket that is never closed", "a: [1, 2\nb: 3", 1],
    ["a fault after lines that only together are valid", "a: 1\nl: [\n 1,\n 2\n ]\nz: 3\nx: @y\nw: 3", 7],
    ["a fault after comments and blank lines", "# c\n\na: 1\nb: }\n", 4],
    ["Windows line ends", "a: 1\r\nb: @c\r\n", 2],
  ])("%s", (_what, text, line) => {
    expect(faultyLine(text)).toBe(line)
  })

  test("is found in a large file", () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `k${index}:\n  ctx: ${index}`)
    lines[15_000] = "k: @x"
    expect(faultyLine(lines.join("\n"))).toBe(30_001)
  })
})
