import { describe, expect, setDefaultTimeout, test } from "bun:test"
import type { ChatMessage, ToolCall } from "../../../src/domain/chat"
import type { Tool } from "../../../src/domain/tools"
import { jinjaCapabilities } from "../../../src/formats/template-capabilities"
import {
  type ChatTemplate,
  compileChatTemplate,
  type RenderedChat,
  type RenderRequest,
} from "../../../src/prompt/template"
import type { Marker, ToolSyntax } from "../../../src/prompt/tools/syntax"
import { ToolCallParser } from "../../../src/prompt/tools/tool-call-parser"
import { hasSampleTemplates, sampleTemplate, sampleTemplateNames } from "../../support/real/sample-templates"
import { SAMPLES } from "./samples"

// The first template compiles the interpreter as well.
setDefaultTimeout(60_000)

const TOOLS: readonly Tool[] = [
  {
    name: "find_trains",
    description: "Trains between two cities.",
    parameters: {
      type: "object",
      properties: {
        from: { type: "string" },
        stops: { type: "array", items: { type: "string" } },
        seats: { type: "integer" },
        is_direct: { type: "boolean" },
        options: { type: "object", properties: { class: { type: "string" } } },
      },
      required: ["from"],
    },
    isStrict: false,
  },
  { name: "now", isStrict: false },
]

const QUESTION = "When does the train leave?"
const USER: ChatMessage = { role: "user", content: QUESTION }
const FIND = {
  from: 'Żyrardów "Główny" <1>',
  stops: ["a b", "c"],
  seats: 2,
  is_direct: true,
  options: { class: "2nd" },
}
/** As a model calls that wants two things at once. */
const CALLS: readonly ToolCall[] = [
  { id: "a1B2c3D4e", name: "find_trains", arguments: JSON.stringify(FIND) },
  { id: "f5G6h7I8j", name: "now", arguments: "{}" },
]

function compile(name: string): ChatTemplate {
  return compileChatTemplate({
    source: sampleTemplate(name),
    bosToken: "<s>",
    eosToken: "</s>",
    specialTokens: [],
  })
}

function render(template: ChatTemplate, options: Partial<RenderRequest> = {}): RenderedChat {
  return template.render({
    messages: [USER],
    tools: { tools: TOOLS, choice: "auto", isParallel: true },
    templateArguments: {},
    addGenerationPrompt: true,
    continueFinalMessage: false,
    ...options,
  })
}

function syntaxOf({ answer }: RenderedChat): ToolSyntax {
  if (answer.tools === undefined) throw new Error("no syntax of calls was found")
  return answer.tools
}

const shown = (marker: Marker): string =>
  marker.map((part) => (part.type === "text" ? part.text : `{${part.type}}`)).join("")

function summary(rendered: RenderedChat): (typeof SAMPLES)[string] {
  const { origin, sectionStart, call } = syntaxOf(rendered)
  const form = call.arguments
  const kind = form.type === "tagged" ? `tagged ${form.values.type}` : form.type
  const thinking = rendered.answer.reasoning?.start ?? null
  return [origin, kind, shown(sectionStart) + shown(call.start), thinking]
}

/** The calls in a text, read as an answer. */
function callsIn(text: string, syntax: ToolSyntax): { name: string; given: unknown }[] {
  const found: { name: string; json: string }[] = []
  const parser = new ToolCallParser({
    syntax,
    tools: TOOLS,
    sink: {
      text: () => undefined,
      startCall: ({ name }) => found.push({ name, json: "" }),
      argumentsText: (json) => {
        const last = found.at(-1)
        if (last !== undefined) last.json += json
      },
      endCall: ({ isWhole }) => expect(isWhole).toBe(true),
    },
  })
  // By pieces that no marker keeps to.
  for (let at = 0; at < text.length; at += 7) parser.push(text.slice(at, at + 7))
  parser.end()
  return found.map(({ name, json }) => ({ name, given: JSON.parse(json) as unknown }))
}

describe.skipIf(!hasSampleTemplates())("the sample chat templates", () => {
  test("are all in the table, and most are understood by what they render", () => {
    expect(sampleTemplateNames().toSorted()).toEqual(Object.keys(SAMPLES).toSorted())
    const understood = Object.values(SAMPLES).filter(([origin]) => origin !== "generic")
    expect(understood.length).toBeGreaterThanOrEqual(60)
  })

  test.each(Object.keys(SAMPLES))("%s lists tools, and its calls are read as they were made", (name) => {
    const template = compile(name)
    expect(template.fallback).toBeUndefined()
    const offered = render(template)
    expect<unknown>(summary(offered)).toEqual(SAMPLES[name])
    for (const text of ["find_trains", "Trains between two cities.", "is_direct"])
      expect(offered.text).toContain(text)

    const syntax = syntaxOf(offered)
    const calls = syntax.isParallel ? CALLS : CALLS.slice(0, 1)
    const results = calls.map(({ id, name: of }): ChatMessage => {
      return { role: "tool", content: `result of ${of}`, name: of, toolCallId: id }
    })
    const called = [USER, { role: "assistant", content: "", toolCalls: calls } as const]
    const history = render(template, { messages: [...called, ...results] }).text
    for (const call of calls) expect(history).toContain(`result of ${call.name}`)
    const { text } = render(template, { messages: called, addGenerationPrompt: false })
    const answer = text.slice(text.lastIndexOf(QUESTION) + QUESTION.length)
    const from = syntax.isOpened === true ? answer.indexOf("find_trains") : 0
    const to = syntax.isOpened === true ? answer.indexOf("<|eot_id|>", from) : answer.length
    expect(callsIn(answer.slice(from, to), syntax)).toEqual(
      calls.map((call) => ({ name: call.name, given: JSON.parse(call.arguments) as unknown })),
    )
  })

  test.each(Object.keys(SAMPLES))("%s is read as it is run: for tools and thinking", (name) => {
    const { answer } = render(compile(name))
    const learned = [
      ...(answer.tools?.origin === "generic" ? [] : ["tools"]),
      ...(answer.reasoning === undefined ? [] : ["thinking"]),
    ]
    expect<readonly string[]>(jinjaCapabilities(sampleTemplate(name))).toEqual(learned)
  })

  test.each(Object.keys(SAMPLES))("%s opens no thinking where none is wanted", (name) => {
    const { text, answer } = render(compile(name), { reasoning: { isEnabled: false } })
    expect(answer.reasoning?.isOpen ?? false).toBe(false)
    if (answer.reasoning !== undefined) expect(text.trimEnd()).not.toEndWith(answer.reasoning.start)
  })
})
