import { describe, expect, test } from "bun:test"
import { parseDuration } from "../../src/lib/duration"

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
