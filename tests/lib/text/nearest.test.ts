import { describe, expect, test } from "bun:test"
import { editDistance, nearest } from "../../../src/lib/text/nearest"

describe("editDistance", () => {
  test.each([
    ["", "", 0],
    ["", "abc", 3],
    ["kitten", "sitting", 3],
    ["serve", "srve", 1],
    ["list", "lsit", 1],
    ["größe", "grosse", 3],
  ])("%p and %p are %p apart, in both directions", (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance)
    expect(editDistance(b, a)).toBe(distance)
  })
})

describe("nearest", () => {
  const commands = ["serve", "run", "list", "show", "ps", "stop"]

  test.each([
    ["srve", "serve"],
    ["lsit", "list"],
    ["SHOW", "show"],
    ["ser", "serve"],
    ["stp", "stop"],
  ])("%p was meant to be %p", (word, meant) => {
    expect(nearest(word, commands)).toBe(meant)
  })

  test.each(["frobnicate", "xy", ""])("nothing is close to %p", (word) => {
    expect(nearest(word, commands)).toBeUndefined()
  })

  test("the closest of several wins", () => {
    expect(nearest("top-p", ["top-k", "top-p", "min-p"])).toBe("top-p")
  })

  test("there is nothing near without candidates", () => {
    expect(nearest("run", [])).toBeUndefined()
  })
})

test("a text that is far too long for a word is compared with nothing", () => {
  expect(nearest("x".repeat(1_000_000), ["x".repeat(1_000_001)])).toBeUndefined()
})
