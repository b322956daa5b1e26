import type { ToolCall } from "../../../domain/chat"
import type { Tool } from "../../../domain/tools"
import {
  afterUser,
  ANSWER_TEXT,
  calling,
  callOf,
  FRESH,
  type ProbeOptions,
  type RenderProbe,
  resultsOf,
  textArguments,
  USER_PROBE,
} from "./probes"
import type { ToolSyntax } from "../syntax"
import { ToolCallParser } from "../tool-call-parser"

const [FIRST, SECOND] = FRESH.keys

/** What the calls of a probe are given; each in an answer of its own, besides the last. */
const ARGUMENTS: readonly Readonly<Record<string, unknown>>[] = [
  textArguments(FRESH),
  {},
  { [FIRST]: "only text" },
  { [FIRST]: 5, [SECOND]: true },
  // Nothing is null: templates may leave that out.
  { [FIRST]: -2.5, [SECOND]: [false] },
  { [FIRST]: ["a", 1, { b: false }], [SECOND]: { c: { d: "e" }, f: ["g"] } },
]

/** Is every call that the template renders, with names and values that were not seen before, read as it was made? */
export function isProven(syntax: ToolSyntax, render: RenderProbe): boolean {
  return (["object", "text"] as const).some((argumentsAs) => {
    const proof = new Proof(syntax, render, argumentsAs)
    const single = ARGUMENTS.map((given) => [callOf(FRESH, 0, given)])
    const both = [callOf(FRESH, 0, textArguments(FRESH)), callOf(FRESH, 1, { [FIRST]: 7, [SECOND]: "" })]
    const [first = [], ...others] = single
    return (
      proof.reads(first, "rendered") &&
      others.every((calls) => proof.reads(calls)) &&
      proof.reads(first, undefined, ANSWER_TEXT) &&
      (!syntax.isParallel || proof.reads(both, "rendered"))
    )
  })
}

class Proof {
  readonly #syntax: ToolSyntax
  readonly #render: RenderProbe
  readonly #argumentsAs: "object" | "text"

  constructor(syntax: ToolSyntax, render: RenderProbe, argumentsAs: "object" | "text") {
    this.#syntax = syntax
    this.#render = render
    this.#argumentsAs = argumentsAs
  }

  /** What the template does not render cannot be read wrongly, unless it must be rendered. */
  reads(calls: readonly ToolCall[], must?: "rendered", text?: string): boolean {
    const tools = calls.map(toolFor)
    const body = this.#bodyOf(calls, { tools, argumentsAs: this.#argumentsAs }, text)
    if (body === undefined) return must === undefined
    const read = readCalls(this.#syntax, tools, body)
    return (
      read.calls.length === calls.length &&
      calls.every((call, index) => isSame(call, read.calls[index])) &&
      !FRESH.values.some((value) => read.text.includes(value)) &&
      (text === undefined || !body.includes(text) || read.text.includes(text))
    )
  }

  #bodyOf(calls: readonly ToolCall[], how: ProbeOptions, text?: string): string | undefined {
    const messages = [USER_PROBE, calling(calls, text === undefined ? {} : { text })]
    const shown = [messages, [...messages, ...resultsOf(calls)]].map((probe) =>
      afterUser(this.#render(probe, how)),
    )
    return shown.find((body) => body !== undefined && calls.every(({ name }) => body.includes(name)))
  }
}

interface ReadCall {
  readonly name: string
  readonly json: string
  readonly isWhole: boolean
  readonly id?: string
}

interface ReadAnswer {
  readonly text: string
  readonly calls: readonly ReadCall[]
}

/** What a text says, read as an answer. */
function readCalls(syntax: ToolSyntax, tools: readonly Tool[], answer: string): ReadAnswer {
  const calls: ReadCall[] = []
  let text = ""
  let name = ""
  let json = ""
  const parser = new ToolCallParser({
    syntax,
    tools,
    sink: {
      text: (piece) => (text += piece),
      startCall: (call) => {
        name = call.name
        json = ""
      },
      argumentsText: (piece) => (json += piece),
      endCall: ({ isWhole, writtenId }) =>
        calls.push({ name, json, isWhole, ...(writtenId !== undefined && { id: writtenId }) }),
    },
  })
  parser.push(answer)
  parser.end()
  return { text, calls }
}

/** A tool whose schema allows the arguments of a call. */
function toolFor({ name, arguments: text }: ToolCall): Tool {
  const given = JSON.parse(text) as Readonly<Record<string, unknown>> // a probe's own
  const properties = Object.entries(given).map(
    ([key, value]) => [key, { type: typeOf(value), description: "A value." }] as const,
  )
  return {
    name,
    description: "A function.",
    parameters: { type: "object", properties: Object.fromEntries(properties) },
    isStrict: false,
  }
}

function typeOf(value: unknown): string {
  if (value === null) return "null"
  return Array.isArray(value) ? "array" : typeof value
}

function isSame({ name, id, arguments: text }: ToolCall, read: ReadCall | undefined): boolean {
  if (read?.isWhole !== true || read.name !== name) return false
  if (read.id !== undefined && FRESH.ids.includes(read.id) && read.id !== id) return false
  try {
    return Bun.deepEquals(JSON.parse(read.json), JSON.parse(text))
  } catch {
    return false
  }
}
