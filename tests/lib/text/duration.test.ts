import { describe, expect, test } from "bun:test"
import { formatSeconds, parseDuration } from "../../../src/lib/text/duration"

describe("a duration", () => {
  test.each([
    ["0", 0],
    ["90", 90],
    ["1.5", 1.5],
    ["250ms", 0.25],
    ["5m", 300],
    ["1h30m", 5400],
    ["2D", 172_800],
    [" 10s ", 10],
  ])("%p is %p seconds", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds)
  })

  test.each(["", "m", "5 m", "-5m", "5x", "5m3", "1e3", ".5s", "5..5"])("%p is none", (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })
})

test.each([
  [30_019.55335999999, "30 s"],
  [1_500, "1.5 s"],
  [1, "0.001 s"],
  [99_960, "100 s"],
  [1_234_567.8, "1235 s"],
])("%p milliseconds are %p in messages", (milliseconds, text) => {
  expect(formatSeconds(milliseconds)).toBe(text)
})
