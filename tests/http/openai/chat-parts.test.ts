import { describe, expect, test } from "bun:test"
import type { GenerationEvent } from "../../../src/domain/chat"
import type { ReasoningField } from "../../../src/domain/settings"
import { done } from "../../support/fakes/fake-engine"
import { chunksOf, fakeServer, type Json, jsonOf, USER_HI } from "../../support/http"

const PATH = "/v1/chat/completions"

async function* eventsFrom(events: readonly GenerationEvent[]): AsyncGenerator<GenerationEvent> {
  yield* events
}

/** A choice that thinks, says something and calls two functions, beside one that calls another. */
const PARTS: readonly GenerationEvent[] = [
  { type: "prompt", tokens: 5 },
  { type: "part-start", choice: 0, part: "reasoning" },
  { type: "delta", choice: 0, part: "reasoning", text: "Hm", tokens: 1 },
  { type: "part-start", choice: 1, part: "tool-call", id: "c0", name: "now" },
  { type: "delta", choice: 1, part: "tool-call", text: "{}", tokens: 1 },
  { type: "part-end", choice: 1, part: "tool-call" },
  { type: "finish", choice: 1, reason: "tool_calls", completionTokens: 1 },
  { type: "delta", choice: 0, part: "reasoning", text: "m.", tokens: 1 },
  { type: "part-end", choice: 0, part: "reasoning" },
  { type: "part-start", choice: 0, part: "text" },
  { type: "delta", choice: 0, part: "text", text: "So:", tokens: 1 },
  { type: "part-end", choice: 0, part: "text" },
  { type: "part-start", choice: 0, part: "tool-call", id: "c1", name: "add" },
  { type: "delta", choice: 0, part: "tool-call", text: '{"a":', tokens: 3 },
  { type: "delta", choice: 0, part: "tool-call", text: "", tokens: 1 },
  { type: "delta", choice: 0, part: "tool-call", text: "1}", tokens: 1 },
  { type: "part-end", choice: 0, part: "tool-call" },
  { type: "part-start", choice: 0, part: "tool-call", id: "c2", name: "mul" },
  { type: "delta", choice: 0, part: "tool-call", text: "{}", tokens: 1 },
  { type: "part-end", choice: 0, part: "tool-call" },
  { type: "finish", choice: 0, reason: "tool_calls", completionTokens: 9 },
  done(10),
]

describe("an answer with reasoning and tool calls", () => {
  test("has them beside its text", async () => {
    const { post } = fakeServer(() => eventsFrom(PARTS))
    const call = (id: string, name: string, args: string) => ({
      id,
      type: "function",
      function: { name, arguments: args },
    })
    expect((await jsonOf(post(PATH, { messages: USER_HI, n: 2 })))["choices"]).toEqual([
      {
        index: 0,
        message: {
          role: "assistant",
          content: "So:",
          refusal: null,
          reasoning_content: "Hmm.",
          tool_calls: [call("c1", "add", '{"a":1}'), call("c2", "mul", "{}")],
        },
        logprobs: null,
        finish_reason: "tool_calls",
      },
      {
        index: 1,
        message: { role: "assistant", content: null, refusal: null, tool_calls: [call("c0", "now", "{}")] },
        logprobs: null,
        finish_reason: "tool_calls",
      },
    ])
  })

  test("streams them: a call's name first, its arguments as they come", async () => {
    const { post } = fakeServer(() => eventsFrom(PARTS))
    const chunks = chunksOf(await (await post(PATH, { messages: USER_HI, n: 2, stream: true })).text())
    const deltas = chunks.flatMap((chunk) => chunk["choices"]).slice(2)
    const begins = (index: number, id: string, name: string) => ({
      tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }],
    })
    const goesOn = (index: number, text: string) => ({
      tool_calls: [{ index, function: { arguments: text } }],
    })
    expect(deltas).toEqual(
      [
        [0, { reasoning_content: "Hm" }],
        [1, begins(0, "c0", "now")],
        [1, goesOn(0, "{}")],
        [1, {}, "tool_calls"],
        [0, { reasoning_content: "m." }],
        [0, { content: "So:" }],
        [0, begins(0, "c1", "add")],
        [0, goesOn(0, '{"a":')],
        [0, goesOn(0, "1}")],
        [0, begins(1, "c2", "mul")],
        [0, goesOn(1, "{}")],
        [0, {}, "tool_calls"],
      ].map(([index, delta, reason = null]) => ({ index, delta, logprobs: null, finish_reason: reason })),
    )
  })
})

describe("thinking in an answer", () => {
  const usage = { promptTokens: 5, completionTokens: 10, cachedTokens: 0, reasoningTokens: 2 }
  const events = PARTS.map((event) => (event.type === "done" ? { ...event, usage } : event))
  const reasoningOf = (message: unknown) => {
    const { reasoning_content, reasoning } = message as Json
    return { reasoning_content, reasoning }
  }

  /** Of the first choice of a whole answer, and of all its pieces. */
  async function thought(fields: object, reasoningField: ReasoningField = "reasoning_content") {
    const { post } = fakeServer(() => eventsFrom(events), { settings: { reasoningField } })
    const body = { messages: USER_HI, n: 2, ...fields }
    const { choices } = (await jsonOf(post(PATH, body))) as { choices: { message: object }[] }
    const text = await (await post(PATH, { ...body, stream: true })).text()
    const deltas = chunksOf(text).flatMap((chunk) => chunk["choices"] as { delta: object }[])
    const pieces = deltas
      .map(({ delta }) => reasoningOf(delta))
      .filter(({ reasoning_content, reasoning }) => (reasoning_content ?? reasoning) !== undefined)
    return { whole: reasoningOf(choices[0]?.message), pieces }
  }

  test.each([
    ["reasoning_content", ["reasoning_content"]],
    ["reasoning", ["reasoning"]],
    ["both", ["reasoning_content", "reasoning"]],
  ] as const)("is in the fields of the setting: %s", async (setting, names) => {
    const fieldsWith = (text: string) => ({
      ...{ reasoning_content: undefined, reasoning: undefined },
      ...Object.fromEntries(names.map((name) => [name, text])),
    })
    expect(await thought({}, setting)).toEqual({
      whole: fieldsWith("Hmm."),
      pieces: ["Hm", "m."].map(fieldsWith),
    })
  })

  test("is left out where the client asks for that", async () => {
    const none = { whole: { reasoning_content: undefined, reasoning: undefined }, pieces: [] }
    expect(await thought({ include_reasoning: false })).toEqual(none)
    expect(await thought({ reasoning: { exclude: true } }, "both")).toEqual(none)
  })

  test("is counted in the usage", async () => {
    const { post } = fakeServer(() => eventsFrom(events))
    const details = { completion_tokens_details: { reasoning_tokens: 2 } }
    expect((await jsonOf(post(PATH, { messages: USER_HI, n: 2 })))["usage"]).toMatchObject(details)
    const stream = { stream: true, stream_options: { include_usage: true } }
    const text = await (await post(PATH, { messages: USER_HI, n: 2, ...stream })).text()
    expect(chunksOf(text).at(-1)?.["usage"]).toMatchObject(details)
  })
})

describe("an answer to a request with functions", () => {
  const CALLS: readonly GenerationEvent[] = [
    { type: "prompt", tokens: 5 },
    { type: "part-start", choice: 0, part: "tool-call", id: "c1", name: "add" },
    { type: "delta", choice: 0, part: "tool-call", text: '{"a":', tokens: 3 },
    { type: "delta", choice: 0, part: "tool-call", text: "1}", tokens: 1 },
    { type: "part-end", choice: 0, part: "tool-call" },
    { type: "finish", choice: 0, reason: "tool_calls", completionTokens: 4 },
    done(4),
  ]
  const asked = { messages: USER_HI, functions: [{ name: "add" }] }

  test("has its call in the older form", async () => {
    const { post } = fakeServer(() => eventsFrom(CALLS))
    expect((await jsonOf(post(PATH, asked)))["choices"]).toEqual([
      {
        index: 0,
        message: {
          role: "assistant",
          content: null,
          refusal: null,
          function_call: { name: "add", arguments: '{"a":1}' },
        },
        logprobs: null,
        finish_reason: "function_call",
      },
    ])
  })

  test("streams it in the older form", async () => {
    const { post } = fakeServer(() => eventsFrom(CALLS))
    const chunks = chunksOf(await (await post(PATH, { ...asked, stream: true })).text())
    expect(chunks.flatMap((chunk) => chunk["choices"]).slice(1)).toEqual(
      [
        [{ function_call: { name: "add", arguments: "" } }],
        [{ function_call: { arguments: '{"a":' } }],
        [{ function_call: { arguments: "1}" } }],
        [{}, "function_call"],
      ].map(([delta, reason = null]) => ({ index: 0, delta, logprobs: null, finish_reason: reason })),
    )
  })
})

test("the engine gets the tools of a request, and the calls before with their ids", async () => {
  const { post, engine } = fakeServer()
  const call = { id: "call_9", type: "function", function: { name: "add", arguments: "{}" } }
  await post(PATH, {
    messages: [
      ...USER_HI,
      { role: "assistant", content: null, tool_calls: [call], reasoning_content: "Hm." },
      { role: "tool", tool_call_id: "call_9", content: "4" },
    ],
    tools: [{ type: "function", function: { name: "add" } }],
    thinking_budget_tokens: 7,
  })
  expect(engine.calls[0]?.request).toMatchObject({
    messages: [
      ...USER_HI,
      { reasoning: "Hm.", toolCalls: [{ id: "call_9", name: "add", arguments: "{}" }] },
      { role: "tool", toolCallId: "call_9", name: "add", content: "4" },
    ],
    tools: { tools: [{ name: "add", isStrict: false }], choice: "auto", isParallel: true },
    reasoning: { budgetTokens: 7 },
  })
})
