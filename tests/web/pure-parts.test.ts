import { describe, expect, test } from "bun:test"
import { SseReader } from "../../src/web/api/sse"
import { calculate, CalculationError } from "../../src/web/chat/calculator"
import { definitionsOf, resultOf } from "../../src/web/chat/tools"
import { fromExport, NotAnExport, toExport, toMarkdown } from "../../src/web/conversations/transfer"
import {
  childrenOf,
  leafWithout,
  newestLeaf,
  pathTo,
  resultsAfter,
  titleFrom,
  withFollowers,
} from "../../src/web/conversations/tree"
import type { Message, StoredConversation } from "../../src/web/conversations/types"
import { SentenceCutter } from "../../src/web/voice/sentences"

let clock = 0

function message(id: string, parent?: string, more: Partial<Message> = {}): Message {
  return { id, conversation: "c", parent, role: "user", text: id, createdAt: ++clock, ...more }
}

function mapOf(...messages: readonly Message[]) {
  return new Map(messages.map((each) => [each.id, each]))
}

/** Two answers to one question; the second goes on. */
const TREE = mapOf(
  message("q1"),
  message("a1", "q1"),
  message("a2", "q1"),
  message("q2", "a2"),
  message("a3", "q2"),
)

describe("a conversation", () => {
  const idsOf = (messages: readonly Message[]) => messages.map(({ id }) => id)

  test("has a path to each message", () => {
    expect(idsOf(pathTo(TREE, "a3"))).toEqual(["q1", "a2", "q2", "a3"])
    expect(idsOf(pathTo(TREE, "a1"))).toEqual(["q1", "a1"])
    expect(pathTo(TREE, undefined)).toEqual([])
  })

  test("has versions, and shows the newest end of one", () => {
    expect(idsOf(childrenOf(TREE, "q1"))).toEqual(["a1", "a2"])
    expect(newestLeaf(TREE, "q1")).toBe("a3")
    expect(newestLeaf(TREE, "a1")).toBe("a1")
  })

  test("loses a message with all that follows, and falls back to another version", () => {
    expect(idsOf(withFollowers(TREE, "a2")).sort()).toEqual(["a2", "a3", "q2"])
    expect(leafWithout(TREE, "a2", "a3")).toBe("a1")
    expect(leafWithout(TREE, "q2", "a3")).toBe("a2")
    expect(leafWithout(TREE, "q1", "a3")).toBeUndefined()
    expect(leafWithout(TREE, "a1", "a3")).toBe("a3")
  })

  test("that leads in a circle does not hang", () => {
    const circle = mapOf(message("a", "b"), message("b", "a"))
    expect(pathTo(circle, "a")).toHaveLength(2)
    expect(withFollowers(circle, "a")).toHaveLength(2)
    expect(["a", "b"]).toContain(newestLeaf(circle, "a"))
  })

  test("matches results to the answer that they follow", () => {
    const path = [
      message("a1", undefined, { role: "assistant" }),
      message("t1", "a1", { role: "tool", toolCallId: "c1", text: "first" }),
      message("a2", "t1", { role: "assistant" }),
      message("t2", "a2", { role: "tool", toolCallId: "c1", text: "second" }),
    ]
    expect(resultsAfter(path, path[0]!)).toEqual(new Map([["c1", "first"]]))
    expect(resultsAfter(path, path[2]!)).toEqual(new Map([["c1", "second"]]))
  })

  test("is named after its first line", () => {
    expect(titleFrom("  Hello   there\nmore")).toBe("Hello there")
    expect(titleFrom("👩‍🚀".repeat(90))).toEndWith("…")
  })
})

describe("an export", () => {
  const conversation: StoredConversation = {
    id: "c",
    title: "Title",
    createdAt: 1,
    updatedAt: 2,
    settings: { model: "tiny", parameters: { temperature: 0.5 } },
    leaf: "a1",
  }
  const messages = [message("q1"), message("a1", "q1", { role: "assistant", answer: { model: "tiny" } })]

  test("can be read again, and gets new ids", () => {
    const read = fromExport(toExport([conversation], messages))
    const [kept] = read.conversations
    const [first, second] = read.messages
    expect(kept).toMatchObject({ title: "Title", settings: conversation.settings, leaf: second!.id })
    expect(first).toMatchObject({ conversation: kept!.id, text: "q1", parent: undefined })
    expect(second).toMatchObject({ parent: first!.id, role: "assistant", answer: { model: "tiny" } })
    expect([kept!.id, first!.id, second!.id]).not.toContain("c")
  })

  test("is refused where it is something else", () => {
    const wrong = ["", "{}", "[]", "null", '{"format":"xllm-conversations-1"}']
    const damaged = toExport([conversation], [{ ...messages[0]!, role: "system" as never }])
    for (const text of [...wrong, damaged]) expect(() => fromExport(text)).toThrow(NotAnExport)
  })

  test("as Markdown has the branch that is seen", () => {
    const all = mapOf(...messages, message("other", "q1", { role: "assistant" }))
    expect(toMarkdown(conversation, all)).toBe("# Title\n\n**User**\n\nq1\n\n---\n\n**tiny**\n\na1\n")
  })
})

describe("a stream of events", () => {
  test("is cut at empty lines, wherever its pieces end", () => {
    const text = 'data: {"a":1}\n\n: loading 5%\n\nevent: state\nid: 7\ndata: x\ndata: y\r\n\r\n'
    for (const size of [1, 2, 5, 100]) {
      const reader = new SseReader()
      const found = (text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? []).flatMap((part) => reader.read(part))
      expect(found).toEqual([
        { type: "message", data: '{"a":1}' },
        { type: "comment", data: "loading 5%" },
        { type: "state", data: "x\ny", id: "7" },
      ])
    }
  })
})

describe("the calculator", () => {
  test("knows precedence, powers and functions", () => {
    const results: Readonly<Record<string, number>> = {
      "1 + 2 * 3": 7,
      "(1+2)*3": 9,
      "-2^2": -4,
      "2^-1": 0.5,
      "2^3^2": 512,
      "2**3": 8,
      "7 % 4": 3,
      "sqrt(16) + max(1, 5, 3)": 9,
      "0.1 + 0.2": 0.3,
      "1.5e3 × 2 − 1": 2999,
      "2*pi": 6.28318530717959,
    }
    for (const [expression, result] of Object.entries(results)) expect(calculate(expression)).toBe(result)
  })

  test("refuses everything else", () => {
    for (const expression of [
      "",
      "1 +",
      "1 2",
      "(1",
      "1/0",
      "alert(1)",
      "constructor",
      "toString()",
      "a.b",
      "9".repeat(2000),
    ])
      expect(() => calculate(expression)).toThrow(CalculationError)
  })

  test("gives a model its errors as results", () => {
    const call = { id: "1", name: "calculator" }
    expect(resultOf({ ...call, arguments: '{"expression":"6*7"}' })).toBe("42")
    expect(resultOf({ ...call, arguments: '{"expression":"6*"}' })).toStartWith("error: ")
    expect(resultOf({ ...call, arguments: "{" })).toStartWith("error: ")
    expect(resultOf({ ...call, name: "constructor", arguments: "{}" })).toBeUndefined()
  })

  test("and other tools are read with or without their wrapping", () => {
    const expected = [{ type: "function", function: { name: "f" } }]
    expect(definitionsOf('[{"name":"f"}]')).toEqual(expected as never)
    expect(definitionsOf('{"type":"function","function":{"name":"f"}}')).toEqual(expected as never)
    expect(() => definitionsOf("[{}]")).toThrow("name")
  })
})

describe("sentences to read aloud", () => {
  test("come as soon as they are complete", () => {
    const cutter = new SentenceCutter()
    expect(cutter.add("This is the fir")).toEqual([])
    expect(cutter.add("st one. This is")).toEqual(["This is the first one."])
    expect(cutter.add(" the second! And a th")).toEqual(["This is the second!"])
    expect(cutter.end()).toEqual(["And a th"])
  })

  test("end in Japanese without a space", () => {
    expect(sentencesOf("これは文です。次の文です。")).toEqual(["これは文です。", "次の文です。"])
  })

  test("have no marks, code, tables or formulas", () => {
    const text =
      "# A title\n\nSome **bold** [link](https://example.org).\n\n```js\nlet a. b\n```\n\n| a |\n|---|\n| b |\n\n- item *one*\n\nAfter it."
    expect(sentencesOf(text)).toEqual(["A title", "Some bold link.", "item one", "After it."])
  })

  test("are cut where none ends", () => {
    const found = sentencesOf("word ".repeat(300))
    expect(found.length).toBeGreaterThan(2)
    expect(Math.max(...found.map(({ length }) => length))).toBeLessThanOrEqual(405)
  })
})

function sentencesOf(text: string): readonly string[] {
  const cutter = new SentenceCutter()
  return [...cutter.add(text), ...cutter.end()]
}
