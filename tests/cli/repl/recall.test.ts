import { describe, expect, test } from "bun:test"
import { Recall } from "../../../src/cli/repl/recall"

describe("previous input", () => {
  test("comes back one by one, and what was being typed last", () => {
    const recall = new Recall(["one", "two"], 9)
    expect([recall.older("draft"), recall.older("two"), recall.older("one")]).toEqual([
      "two",
      "one",
      undefined,
    ])
    expect([recall.newer(), recall.newer(), recall.newer()]).toEqual(["two", "draft", undefined])
  })

  test("is kept once where it was said twice, and only so much of it", () => {
    const recall = new Recall(["a", "b"], 2)
    for (const entry of ["c", "c", " "]) recall.add(entry)
    expect([recall.older(""), recall.older(""), recall.older("")]).toEqual(["c", "b", undefined])
  })

  test("can be searched, the newest first", () => {
    const recall = new Recall(["Hello there", "other", "say hello"], 9)
    const found = recall.find("HELLO")
    expect(found).toEqual({ entry: "say hello", at: 2 })
    expect(recall.find("hello", 1)).toEqual({ entry: "Hello there", at: 0 })
    expect([recall.find("nothing"), recall.find("")]).toEqual([undefined, undefined])
  })
})
