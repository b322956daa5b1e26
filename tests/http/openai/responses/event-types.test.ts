import { describe, expect, test } from "bun:test"
import type { Response as OpenAiResponse, ResponseStreamEvent } from "openai/resources/responses/responses"
import type { GenerationEvent } from "../../../../src/domain/chat"
import { InternalError } from "../../../../src/errors/base"
import { done } from "../../../support/fakes/fake-engine"
import { fakeServer, type Json } from "../../../support/http"

type RequiredKey<T> = { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T]

type EventOf<Type extends string> = Extract<ResponseStreamEvent, { readonly type: Type }>

type Kind = "string" | "number" | "object" | "boolean"

/** The fields that OpenAI's package declares for an event, all of which must be listed. */
type FieldsOf<T> = Readonly<Record<Exclude<RequiredKey<T>, "type" | "sequence_number">, Kind>>

/** The events that are sent. The compiler compares them with the package's types. */
const EVENTS: { readonly [Type in (typeof SENT)[number]]: FieldsOf<EventOf<Type>> } = {
  "response.created": { response: "object" },
  "response.in_progress": { response: "object" },
  "response.output_item.added": { output_index: "number", item: "object" },
  "response.output_item.done": { output_index: "number", item: "object" },
  "response.content_part.added": {
    ...{ item_id: "string", output_index: "number", content_index: "number", part: "object" },
  },
  "response.content_part.done": {
    ...{ item_id: "string", output_index: "number", content_index: "number", part: "object" },
  },
  "response.output_text.delta": {
    ...{ item_id: "string", output_index: "number", content_index: "number", delta: "string" },
    logprobs: "object",
  },
  "response.output_text.done": {
    ...{ item_id: "string", output_index: "number", content_index: "number", text: "string" },
    logprobs: "object",
  },
  "response.reasoning_text.delta": {
    ...{ item_id: "string", output_index: "number", content_index: "number", delta: "string" },
  },
  "response.reasoning_text.done": {
    ...{ item_id: "string", output_index: "number", content_index: "number", text: "string" },
  },
  "response.reasoning_summary_part.added": {
    ...{ item_id: "string", output_index: "number", summary_index: "number", part: "object" },
  },
  "response.reasoning_summary_part.done": {
    ...{ item_id: "string", output_index: "number", summary_index: "number", part: "object" },
  },
  "response.reasoning_summary_text.delta": {
    ...{ item_id: "string", output_index: "number", summary_index: "number", delta: "string" },
  },
  "response.reasoning_summary_text.done": {
    ...{ item_id: "string", output_index: "number", summary_index: "number", text: "string" },
  },
  "response.function_call_arguments.delta": { item_id: "string", output_index: "number", delta: "string" },
  "response.function_call_arguments.done": {
    ...{ item_id: "string", output_index: "number", name: "string", arguments: "string" },
  },
  "response.custom_tool_call_input.delta": { item_id: "string", output_index: "number", delta: "string" },
  "response.custom_tool_call_input.done": { item_id: "string", output_index: "number", input: "string" },
  "response.completed": { response: "object" },
  "response.incomplete": { response: "object" },
  "response.failed": { response: "object" },
}

const SENT = [
  ...(["response.created", "response.in_progress"] as const),
  ...(["response.output_item.added", "response.output_item.done"] as const),
  ...(["response.content_part.added", "response.content_part.done"] as const),
  ...(["response.output_text.delta", "response.output_text.done"] as const),
  ...(["response.reasoning_text.delta", "response.reasoning_text.done"] as const),
  ...(["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"] as const),
  ...(["response.reasoning_summary_text.delta", "response.reasoning_summary_text.done"] as const),
  ...(["response.function_call_arguments.delta", "response.function_call_arguments.done"] as const),
  ...(["response.custom_tool_call_input.delta", "response.custom_tool_call_input.done"] as const),
  ...(["response.completed", "response.incomplete", "response.failed"] as const),
] as const satisfies readonly ResponseStreamEvent["type"][]

/** What a client adds itself. */
type AddedByClient = "output_text"

const RESPONSE: readonly Exclude<RequiredKey<OpenAiResponse>, AddedByClient>[] = [
  ...(["id", "access_programs", "created_at", "error", "incomplete_details", "instructions"] as const),
  ...(["metadata", "model", "object", "output", "parallel_tool_calls", "temperature"] as const),
  ...(["tool_choice", "tools", "top_p"] as const),
]

const TOKEN = { id: 7, bytes: [72], logprob: -0.5, top: [{ id: 7, bytes: [72], logprob: -0.5 }] }

const PARTS: readonly GenerationEvent[] = [
  { type: "prompt", tokens: 5 },
  { type: "part-start", choice: 0, part: "reasoning" },
  { type: "delta", choice: 0, part: "reasoning", text: "Hm.", tokens: 1 },
  { type: "part-end", choice: 0, part: "reasoning" },
  { type: "part-start", choice: 0, part: "text" },
  { type: "delta", choice: 0, part: "text", text: "H", tokens: 1, logprobs: [TOKEN] },
  { type: "part-end", choice: 0, part: "text" },
  ...["weather", "patch", "local_shell"].flatMap((name): readonly GenerationEvent[] => [
    { type: "part-start", choice: 0, part: "tool-call", id: `call_${name}`, name },
    { type: "delta", choice: 0, part: "tool-call", text: "{}", tokens: 1 },
    { type: "part-end", choice: 0, part: "tool-call" },
  ]),
]

const ENDS: Readonly<Record<string, () => AsyncGenerator<GenerationEvent>>> = {
  completed: async function* () {
    yield* PARTS
    yield { type: "finish", choice: 0, reason: "tool_calls", completionTokens: 4 }
    yield done(4)
  },
  incomplete: async function* () {
    yield* PARTS
    yield { type: "finish", choice: 0, reason: "length", completionTokens: 4 }
    yield done(4)
  },
  failed: async function* () {
    yield* PARTS
    throw new InternalError("gone")
  },
}

async function streamOf(end: string, body: object = {}): Promise<readonly Json[]> {
  const { post } = fakeServer(ENDS[end])
  const response = await post("/v1/responses", {
    ...{ model: "tiny", input: "Hi", stream: true },
    tools: [
      { type: "function", name: "weather" },
      { type: "custom", name: "patch" },
      { type: "local_shell" },
    ],
    ...body,
  })
  const events = (await response.text()).trimEnd().split("\n\n")
  return events.map((event) => JSON.parse(event.slice(event.indexOf("data: ") + 6)) as Json)
}

function kindsOf(event: Json, fields: Readonly<Record<string, Kind>>): Json {
  return Object.fromEntries(Object.keys(fields).map((name) => [name, typeof event[name]]))
}

describe("every event of a stream", () => {
  test.each([
    ["completed", {}],
    ["completed", { reasoning: { summary: "detailed" }, include: ["reasoning.encrypted_content"] }],
    ["incomplete", {}],
    ["failed", {}],
  ])("that is %s with %j has the fields that OpenAI's package declares", async (end, body) => {
    const events = await streamOf(end, body)
    expect(events.map((event) => event["sequence_number"])).toEqual(events.map((_, index) => index))
    const table: Readonly<Record<string, Readonly<Record<string, Kind>>>> = EVENTS
    for (const event of events) {
      const fields = table[String(event["type"])] ?? { type: "number" }
      expect([event["type"], kindsOf(event, fields)]).toEqual([event["type"], fields])
      const response = event["response"] as Json | undefined
      for (const name of response === undefined ? [] : RESPONSE)
        expect([name, response?.[name]]).not.toEqual([name, undefined])
    }
    expect(events.at(-1)?.["type"]).toBe(`response.${end}`)
  })

  test("is sent in one of these streams", async () => {
    const streams = await Promise.all([
      streamOf("completed"),
      streamOf("incomplete", { reasoning: { summary: "auto" } }),
      streamOf("failed"),
    ])
    const types = new Set(streams.flat().map(({ type }) => type))
    expect(SENT.filter((type) => !types.has(type))).toEqual([])
  })

  test("with text has its log probabilities where they are asked for", async () => {
    const events = await streamOf("completed", { include: ["message.output_text.logprobs"], top_logprobs: 1 })
    const token = { token: "H", bytes: [72], logprob: -0.5 }
    const logprobs = [{ ...token, top_logprobs: [token] }]
    const withText = events.filter(({ type }) => String(type).startsWith("response.output_text."))
    expect(withText.map((event) => event["logprobs"])).toEqual([logprobs, logprobs])
    expect(events.at(-1)).toMatchObject({
      response: { output: [{}, { content: [{ logprobs }] }, {}, {}, {}] },
    })
  })
})
