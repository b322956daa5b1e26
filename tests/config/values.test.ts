import { describe, expect, test } from "bun:test"
import { address } from "../../src/config/address"
import {
  bytes,
  type ConfigValue,
  decimal,
  duration,
  integer,
  list,
  oneOf,
  orAutomatic,
  orNone,
  stay,
  text,
  toggle,
  type Value,
} from "../../src/config/values"

function refusal(value: Value<unknown>, given: string): string {
  try {
    value.parse(given, "--it")
  } catch (error) {
    return String(error)
  }
  return "accepted"
}

describe("a value is read as what it means", () => {
  test.each<[Value<unknown>, string, unknown]>([
    [integer("N", 0, 9999999), "42", 42],
    [integer("N", 0, 9999999), "8k", 8192],
    [integer("N", -1, 9999999), "-1", -1],
    [integer("N", 0, 65535), "65535", 65535],
    [decimal("X", 0, 2), "0.25", 0.25],
    [decimal("X", 0, 1e6), "1e3", 1000],
    [toggle, "1", true],
    [toggle, "Off", false],
    [oneOf("layer", "row"), "ROW", "row"],
    [list(decimal("X", 0, 1e6), "X,…"), "3, 1", [3, 1]],
    [orAutomatic(integer("N", 0, 9999999), "auto"), "auto", null],
    [orAutomatic(integer("N", 0, 9999999), "auto"), "3", 3],
    [orNone(list(text("X"), "X,…"), "none"), "none", []],
    [orNone(list(text("X"), "X,…"), "none"), "a,b", ["a", "b"]],
    [orAutomatic(duration, "forever"), "Forever", null],
    [duration, "1h30m", 5400],
    [bytes, "1.5GiB", 1.5 * 1024 ** 3],
    [text("TEXT"), "a b", "a b"],
  ])("%#", (value, given, expected) => {
    expect(value.parse(given, "--it")).toEqual(expected)
  })
})

describe("a refusal names the source, the rule and what was given", () => {
  test.each<[Value<unknown>, string, string]>([
    [integer("N", 0, 65535), "65536", "--it must be a whole number from 0 to 65535, got '65536'"],
    [integer("N", 1, 9999999), "0", "--it must be a whole number from 1 to 9999999, got '0'"],
    [integer("N", 1, 9999999), "1.5", "got '1.5'"],
    [integer("N", 1, 9999999), "", "got ''"],
    [integer("N", 1, 9999999), "0x10", "got '0x10'"],
    [integer("N", 1, 9999999), "9".repeat(40), "a whole number from 1 to 9999999"],
    [decimal("X", 0, 2), "2.01", "--it must be a number from 0 to 2, got '2.01'"],
    [decimal("X", 0, 1e6), "NaN", "got 'NaN'"],
    [decimal("X", 0, 1e6), "Infinity", "got 'Infinity'"],
    [toggle, "maybe", "--it must be true or false, got 'maybe'"],
    [oneOf("layer", "row"), "column", "--it must be one of layer, row, got 'column'"],
    [list(decimal("X", 0, 1e6), "X,…"), "3,,1", "got ''"],
    [text("TEXT"), "", "--it must be a string"],
    [duration, "-1", "--it must be a time, such as 90 (seconds), 5m or 1h30m, got '-1'"],
    [duration, "soon", "got 'soon'"],
    [duration, "25d", "--it must be at most 24d, got '25d'"],
    [duration, "9".repeat(400), "--it must be at most 24d, got '999"],
    [stay, "36501d", "--it must be at most 36500d, got '36501d'"],
    [bytes, "1025TiB", "--it must be at most 1 PiB, got '1025TiB'"],
    [bytes, `${"9".repeat(400)}PiB`, "--it must be at most 1 PiB"],
    [text("X", { maxLength: 3 }), "abcd", "--it must be a string of at most 3 characters, got 'abcd'"],
    [list(text("X"), "X,…", { maxItems: 2 }), "a,b,c", "--it must have at most 2 entries, got 3"],
    [bytes, "0", "--it must be a size, such as 1000000 (bytes), 500MB or 8GiB, got '0'"],
  ])("%#", (value, given, words) => {
    expect(refusal(value, given)).toContain(words)
    expect(refusal(value, given)).toStartWith("UsageError")
  })
})

describe("a value is shown as it could be given", () => {
  test.each<[ConfigValue<unknown>, string]>([
    [integer("N", 0, 9999999), "42"],
    [toggle, "false"],
    [list(decimal("X", 0, 1e6), "X,…"), "3,1.5"],
    [orAutomatic(integer("N", 0, 9999999), "auto"), "auto"],
    [orNone(list(text("X"), "X,…"), "none"), "none"],
    [duration, "90s"],
    [duration, "5m"],
    [duration, "2h"],
    [duration, "0s"],
    [bytes, "100MiB"],
    [bytes, "8GiB"],
    [bytes, "1000"],
    [address, "127.0.0.1"],
    [address, "[::1]:80"],
    [address, "https://box:1"],
  ])("%#", (value, given) => {
    expect(value.show(value.parse(given, "--it"))).toBe(given)
  })
})
