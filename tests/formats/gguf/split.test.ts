import { describe, expect, test } from "bun:test"
import { parseSplitName, siblingName, splitProblem } from "../../../src/formats/gguf/split"

describe("the name of a part", () => {
  test.each([
    ["big-00001-of-00003.gguf", "big", 1, 3],
    ["Q8/BIG-00002-OF-00003.GGUF", "Q8/BIG", 2, 3],
    ["a-00001-of-00002-00001-of-00001.gguf", "a-00001-of-00002", 1, 1],
  ])("%s tells stem and number", (name, stem, part, parts) => {
    expect(parseSplitName(name)).toEqual({ stem, part, parts })
  })

  test.each([
    "big.gguf",
    "big-1-of-2.gguf",
    "big-00001-of-00002.gguf.part",
    "big-00003-of-00002.gguf",
    "big-00000-of-00002.gguf",
    "big-00001-of-01025.gguf",
    "-00001-of-00002.gguf",
  ])("%s is none", (name) => {
    expect(parseSplitName(name)).toBeUndefined()
  })

  test("gives those of the others in its own spelling", () => {
    expect(siblingName("BIG-00001-Of-00012.GGUF", 11)).toBe("BIG-00011-Of-00012.GGUF")
    expect(siblingName("a-00001-of-00002-00001-of-00001.gguf", 2)).toBe(
      "a-00001-of-00002-00002-of-00001.gguf",
    )
  })
})

describe("what files say of their places", () => {
  const file = (no: number | undefined, count: number | undefined) => ({
    name: `file ${no}`,
    header: {
      metadata: new Map(
        Object.entries({ "split.no": no, "split.count": count }).flatMap(([key, value]) =>
          value === undefined ? [] : [[key, value] as const],
        ),
      ),
    },
  })

  test("is right where they say nothing, are one, or are all in their order", () => {
    expect(splitProblem([file(undefined, undefined), file(undefined, undefined)])).toBeUndefined()
    expect(splitProblem([file(0, 1)])).toBeUndefined()
    expect(splitProblem([file(0, 3), file(1, 3), file(2, 3)])).toBeUndefined()
    expect(splitProblem([])).toBeUndefined()
  })

  test("is wrong where one is missing, or in another's place", () => {
    expect(splitProblem([file(0, 3), file(1, 3)])).toStartWith(
      "it is part 1 of 3 of a split model, and part 2",
    )
    expect(splitProblem([file(1, 2)])).toContain("part 1 is missing")
    expect(splitProblem([file(0, 3), file(2, 3), file(1, 3)])).toBe(
      "file 2 is part 3 of 3, where part 2 of 3 should be",
    )
    expect(splitProblem([file(0, 2), file(undefined, undefined)])).toBe(
      "file undefined is not part of a split model, where part 2 of 2 should be",
    )
  })
})
