import { describe, expect, test } from "bun:test"
import type { ResolvedMarker } from "../../../../src/worker/text/markers"
import { answerOutputOf } from "../../../../src/worker/text/output/answer-reading"
import type { PartEvent } from "../../../../src/worker/text/output/answer-output"
import { prepareStops } from "../../../../src/worker/text/output/stop"
import { forEachSplit } from "../../../support/splits"

interface Options {
  readonly start?: ResolvedMarker
  readonly end?: ResolvedMarker
  readonly isOpen?: boolean
  readonly isInline?: boolean
  readonly stop?: readonly string[]
  readonly keepsStop?: boolean
}

/** A control token by its id, or plain text. */
type Item = string | number

/** The parts of an answer as texts: `reasoning:…`, `text:…`; and how many of its tokens are thinking. */
function read(
  items: readonly Item[],
  options: Options = {},
): { parts: string[]; thinking: number; stop?: string } {
  const { start = ["<think>"], end = ["</think>"], isOpen = false, isInline = false } = options
  const output = answerOutputOf({
    stops: prepareStops(options.stop ?? []),
    keepsStop: options.keepsStop ?? false,
    answer: {
      reasoning: {
        start,
        end,
        isOpen,
        isInline,
        mayBegin: true,
        names: { start: "<think>", end: "</think>" },
      },
    },
  })
  const events: PartEvent[] = []
  let stop: string | undefined
  for (const item of items) {
    const bytes = new TextEncoder().encode(typeof item === "string" ? item : `<|${item}|>`)
    const piece = output.push(bytes, undefined, typeof item === "number" ? item : undefined)
    events.push(...(piece?.events ?? []))
    stop = piece?.stop
    if (stop !== undefined) break
  }
  events.push(...output.end(false))
  return { parts: joined(events), thinking: output.reasoningTokens, ...(stop !== undefined && { stop }) }
}

/** One text per part. Fails where parts are not one after another. */
function joined(events: readonly PartEvent[]): string[] {
  const parts: string[] = []
  let open: string | undefined
  for (const event of events) {
    if (event.type === "part-start") {
      expect(open).toBeUndefined()
      open = `${event.part}:`
    } else if (event.type === "delta") {
      expect(open?.startsWith(event.part)).toBe(true)
      open += event.text
    } else {
      parts.push(open ?? "nothing")
      open = undefined
    }
  }
  expect(open).toBeUndefined()
  return parts
}

describe("what a model thinks is kept apart, wherever the tokens end", () => {
  const cases: readonly [answer: string, options: Options, parts: readonly string[]][] = [
    ["<think>\nHm, 3 < 4.\n</think>\n\nYes.", {}, ["reasoning:Hm, 3 < 4.", "text:Yes."]],
    [" \n<think>a</think>b", {}, ["reasoning:a", "text:b"]],
    ["<think>\n\n</think>\n\nYes.", {}, ["text:Yes."]],
    ["<think>never ends </thin", {}, ["reasoning:never ends </thin"]],
    ["Hm\n\nso\n</think>\nYes.", { isOpen: true }, ["reasoning:Hm\n\nso", "text:Yes."]],
    ["a <think>b</think>", {}, ["text:a <think>b</think>"]],
    ["<thin air", {}, ["text:<thin air"]],
    ["  <", {}, ["text:  <"]],
    ["<think>a</</think>b</think>c", {}, ["reasoning:a</", "text:b</think>c"]],
    ["<think>é🙂</think>é🙂 ", {}, ["reasoning:é🙂", "text:é🙂 "]],
    ["<think>\nHm\n</think>\n\nYes.", { isInline: true }, ["text:<think>\nHm\n</think>", "text:\n\nYes."]],
    [
      "Hm\n</think>\n\nYes.",
      { isOpen: true, isInline: true },
      ["text:<think>\nHm\n</think>", "text:\n\nYes."],
    ],
  ]
  test.each(cases)("%j", (answer, options, parts) => {
    forEachSplit(answer, (pieces) => expect(read(pieces, options).parts).toEqual([...parts]))
  })
})

describe("markers that are control tokens", () => {
  const controls: Options = { start: [7], end: [8] }

  test("count by their ids, and not by the text of their names", () => {
    expect(read([7, "a <|8|> b", 8, "\nc"], controls).parts).toEqual(["reasoning:a <|8|> b", "text:c"])
    expect(read(["<|7|>a<|8|>b"], controls).parts).toEqual(["text:<|7|>a<|8|>b"])
  })

  test("may have text beside them", () => {
    const form: Options = { start: [7, "analysis"], end: [8, "final", 9] }
    expect(read([7, "ana", "lysis", "a", 8, "fi", "b", 8, "final", 9, "c"], form).parts).toEqual([
      "reasoning:a<|8|>fib",
      "text:c",
    ])
    expect(read([7, "comment"], form).parts).toEqual(["text:<|7|>comment"])
    expect(read([7, 8], form).parts).toEqual(["text:<|7|><|8|>"])
  })
})

test("the tokens of the thinking are counted, with its markers", () => {
  expect(read(["<think>", "a", "b", "</think>", "c", "d"]).thinking).toBe(4)
  expect(read(["a", "b", "</think>", "c"], { isOpen: true }).thinking).toBe(3)
  expect(read(["c", "d"]).thinking).toBe(0)
  expect(read(["<think>", "a", "</think>", "c"], { isInline: true }).thinking).toBe(3)
})

describe("stop texts", () => {
  test("end the thinking and the answer", () => {
    expect(read(["<think>a END b"], { stop: ["END"] })).toMatchObject({
      parts: ["reasoning:a "],
      stop: "END",
    })
    expect(read(["<think>a</think>b E", "ND c"], { stop: ["END"] })).toMatchObject({
      parts: ["reasoning:a", "text:b "],
      stop: "END",
    })
    expect(read(["b ENDc"], { stop: ["END"], keepsStop: true }).parts).toEqual(["text:b END"])
  })

  test("that do not come are text", () => {
    expect(read(["b EN"], { stop: ["END"] }).parts).toEqual(["text:b EN"])
  })
})
