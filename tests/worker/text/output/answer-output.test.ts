import { describe, expect, test } from "bun:test"
import type { TokenLogprob } from "../../../../src/domain/chat"
import { AnswerOutput, type PartEvent } from "../../../../src/worker/text/output/answer-output"
import {
  type OutputParser,
  type PartWriter,
  PlainTextParser,
} from "../../../../src/worker/text/output/parser"
import { prepareStops } from "../../../../src/worker/text/output/stop"
import { TextOutput } from "../../../../src/worker/text/output/text-output"

/** `(` begins what the model thinks, `)` ends it; `!` is held back until the next text. */
class Parentheses implements OutputParser {
  #part: "text" | "reasoning" | undefined
  #held = ""

  push(text: string, parts: PartWriter): void {
    const whole = this.#held + text
    this.#held = whole.endsWith("!") ? "!" : ""
    for (const piece of whole.slice(0, whole.length - this.#held.length).split(/(?=[()])|(?<=[()])/)) {
      if (piece === ")") this.#close(parts)
      else if (piece !== "") this.#write(piece, parts)
    }
  }

  control(_token: number, name: string, parts: PartWriter): void {
    this.push(name, parts)
  }

  end(parts: PartWriter): void {
    if (this.#held !== "") this.#write(this.#held, parts)
    this.#close(parts)
  }

  #write(piece: string, parts: PartWriter): void {
    if (piece === "(") this.#close(parts)
    if (this.#part === undefined) parts.start({ part: (this.#part = piece === "(" ? "reasoning" : "text") })
    if (piece !== "(") parts.text(piece)
  }

  #close(parts: PartWriter): void {
    if (this.#part !== undefined) parts.end()
    this.#part = undefined
  }
}

interface Options {
  readonly stop?: readonly string[]
  readonly parser?: OutputParser
  readonly needsDelta?: boolean
  readonly logprobs?: boolean
}

/** The events of an answer as short texts: `+text`, `text: the text/tokens`, `-text`. */
function feed(tokens: readonly string[], options: Options = {}): string[] {
  const { stop = [], parser = new PlainTextParser(), needsDelta = false, logprobs = false } = options
  const output = new AnswerOutput(new TextOutput(prepareStops(stop)), parser)
  const events: PartEvent[] = []
  for (const [id, token] of tokens.entries()) {
    const logprob: TokenLogprob = { id, bytes: [], logprob: -1, top: [] }
    const piece = output.push(new TextEncoder().encode(token), logprobs ? logprob : undefined)
    events.push(...(piece?.events ?? []))
    if (piece?.stop !== undefined) break
  }
  events.push(...output.end(needsDelta))
  return events.map(shorten)
}

function shorten(event: PartEvent): string {
  if (event.type === "part-start") return `+${event.part}`
  if (event.type === "part-end") return `-${event.part}`
  const ids = event.logprobs?.map(({ id }) => id).join()
  return `${event.part}: ${event.text}/${event.tokens}${ids === undefined ? "" : ` of ${ids}`}`
}

describe("plain text", () => {
  test("is one part, which begins with the first text and ends with the answer", () => {
    expect(feed(["Hello", "", " you"])).toEqual(["+text", "text: Hello/1", "text:  you/2", "-text"])
  })

  test("is no part where there is none", () => {
    expect(feed([])).toEqual([])
    expect(feed([""])).toEqual([])
  })

  test("has at its end what could have become a stop text", () => {
    expect(feed(["a", "EN"], { stop: ["END"] })).toEqual(["+text", "text: a/1", "text: EN/1", "-text"])
  })

  test("ends before a stop text, whatever comes after it", () => {
    const expected = ["+text", "text: a/1", "text: /3", "-text"]
    expect(feed(["a", "E", "N", "D", "x"], { stop: ["END"] })).toEqual(expected)
    expect(feed(["a", "E", "N", "Dx"], { stop: ["END"] })).toEqual(expected)
  })

  test("has an empty delta for tokens that have no text, if they are wanted", () => {
    expect(feed(["a"], { needsDelta: true })).toEqual(["+text", "text: a/1", "text: /0", "-text"])
    expect(feed([], { needsDelta: true })).toEqual(["+text", "text: /0", "-text"])
    expect(feed(["a", ""], { logprobs: true })).toEqual(["+text", "text: a/1 of 0", "text: /1 of 1", "-text"])
  })
})

describe("a parser", () => {
  test("divides an answer into parts, several in one token too", () => {
    const answer = ["(Hm", "m", ".)So", ":"]
    expect(feed(answer, { parser: new Parentheses() })).toEqual([
      ...["+reasoning", "reasoning: Hm/1", "reasoning: m/1", "reasoning: ./1", "-reasoning"],
      ...["+text", "text: So/0", "text: :/1", "-text"],
    ])
  })

  test("leaves no token out: those it consumes or holds back come with the next text", () => {
    expect(feed(["(", "a", ")", "b!", "!", "c"], { parser: new Parentheses(), logprobs: true })).toEqual([
      ...["+reasoning", "reasoning: a/2 of 0,1", "-reasoning"],
      ...["+text", "text: b/2 of 2,3", "text: !/1 of 4", "text: !c/1 of 5", "-text"],
    ])
    expect(feed(["a", "!"], { parser: new Parentheses(), logprobs: true })).toEqual([
      ...["+text", "text: a/1 of 0", "text: !/1 of 1", "-text"],
    ])
    expect(feed(["(", "a", ")"], { parser: new Parentheses(), logprobs: true })).toEqual([
      ...["+reasoning", "reasoning: a/2 of 0,1", "-reasoning"],
      ...["+text", "text: /1 of 2", "-text"],
    ])
  })

  test("sees no text that a stop text cuts off", () => {
    expect(feed(["(a", " END)"], { parser: new Parentheses(), stop: ["END"] })).toEqual([
      ...["+reasoning", "reasoning: a/1", "reasoning:  /1", "-reasoning"],
    ])
  })
})
