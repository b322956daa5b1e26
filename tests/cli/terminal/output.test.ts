import { describe, expect, test } from "bun:test"
import { formatCount } from "../../../src/lib/text/count"
import {
  formatAge,
  formatBytes,
  formatDuration,
  printable,
  section,
  table,
  terminalSafe,
  toJson,
} from "../../../src/cli/terminal/output"

test("a table is aligned by what a terminal shows, without trailing blanks", () => {
  const text = table(
    ["NAME", "SIZE"],
    [
      ["日本", "1 B"],
      ["longer name", "10 GB"],
    ],
  )
  expect(text).toBe("NAME           SIZE\n日本           1 B\nlonger name    10 GB\n")
})

test("a table without rows is its heading", () => {
  expect(table(["NAME", "ID"], [])).toBe("NAME    ID\n")
})

describe("sizes", () => {
  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1 KB"],
    [1500, "1.5 KB"],
    [98_300_000, "98 MB"],
    [1_330_000_000, "1.3 GB"],
    [13_900_000_000, "13 GB"],
    [2_000_000_000_000, "2 TB"],
  ])("%d bytes are %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  test.each([
    [134_515_008, "134.52M"],
    [125_000_000, "125M"],
    [7_620_000_000, "7.6B"],
    [8_000_000_000, "8B"],
    [96_400, "96K"],
    [12, "12"],
  ])("%d parameters are %s", (count, text) => {
    expect(formatCount(count)).toBe(text)
  })
})

describe("durations", () => {
  test.each([
    [0.25, "250µs"],
    [130.079, "130.079ms"],
    [1234.567, "1.234567s"],
    [62_500, "1m2.5s"],
    [3_723_000, "1h2m3s"],
  ])("%d ms are %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe("ages", () => {
  const now = new Date("2026-01-31T12:00:00Z")
  test.each([
    [0.5, "Less than a second ago"],
    [1, "1 second ago"],
    [59, "59 seconds ago"],
    [60, "About a minute ago"],
    [150, "2 minutes ago"],
    [3600, "About an hour ago"],
    [47 * 3600, "47 hours ago"],
    [3 * 86_400, "3 days ago"],
    [21 * 86_400, "3 weeks ago"],
    [90 * 86_400, "3 months ago"],
    [800 * 86_400, "2 years ago"],
    [-240, "4 minutes from now"],
  ])("%d seconds: %s", (seconds, words) => {
    expect(formatAge(new Date(now.getTime() - seconds * 1000), now)).toBe(words)
  })
})

describe("texts that others wrote cannot steer the terminal", () => {
  test("names lose every control character", () => {
    expect(printable("a\x1b[31mb\nc\u009b")).toBe("a\ufffd[31mb\ufffdc\ufffd")
  })

  test("answers keep line ends and tabs, and every language", () => {
    expect(terminalSafe("a\n\tb \x1b]0;title\x07 \r é 日本 🙂")).toBe(
      "a\n\tb \ufffd]0;title\ufffd \ufffd é 日本 🙂",
    )
  })
})

test("a section is indented below its title", () => {
  expect(
    section("Model", [
      ["architecture", "llama"],
      ["layers", "30"],
    ]),
  ).toBe("  Model\n    architecture    llama\n    layers          30\n")
})

test("JSON holds big integers as numbers where they fit and as text where not", () => {
  const parsed: unknown = JSON.parse(toJson({ small: 5n, large: 2n ** 60n }))
  expect(parsed).toEqual({ small: 5, large: "1152921504606846976" })
})
