import { afterAll, expect, test } from "bun:test"
import OpenAI from "openai"
import type { ParsedChatCompletionMessageToolCall } from "openai/resources/chat/completions"
import { zodFunction } from "openai/helpers/zod"
import { z } from "zod"
import type { ChatRequest, GenerationEvent } from "../../../src/domain/chat"
import { textOf } from "../../../src/domain/content"
import { listen, type Listener } from "../../../src/http/server/listen"
import { done, type Script } from "../../support/fakes/fake-engine"
import { fakeServer } from "../../support/http"

const listeners: Listener[] = []
afterAll(() => Promise.all(listeners.map((listener) => listener.close())))

async function serve(script: (request: ChatRequest) => readonly GenerationEvent[]) {
  const run: Script = async function* (request) {
    if (request.kind === "chat") yield* script(request)
  }
  const { app, engine } = fakeServer(run)
  const listener = await listen(app, { host: "127.0.0.1", port: 0 })
  listeners.push(listener)
  const client = new OpenAI({
    baseURL: `http://127.0.0.1:${listener.port}/v1`,
    apiKey: "none",
    maxRetries: 0,
  })
  return { client, requests: () => engine.calls.map(({ request }) => request as ChatRequest) }
}

const call = (id: string, city: string): readonly GenerationEvent[] => [
  { type: "part-start", choice: 0, part: "tool-call", id, name: "weather" },
  ...['{"city":', JSON.stringify(city), "}"].map((text): GenerationEvent => ({
    type: "delta",
    choice: 0,
    part: "tool-call",
    text,
    tokens: 1,
  })),
  { type: "part-end", choice: 0, part: "tool-call" },
]

const finish = (reason: "stop" | "tool_calls"): readonly GenerationEvent[] => [
  { type: "finish", choice: 0, reason, completionTokens: 6 },
  done(6),
]

/** Asks for the weather of two cities side by side, then says the results. */
function forecaster({ messages }: ChatRequest): readonly GenerationEvent[] {
  const results = messages.filter(({ role }) => role === "tool").map(({ content }) => textOf(content))
  if (results.length === 0) {
    return [
      { type: "prompt", tokens: 5 },
      ...call("a1", "Oslo"),
      ...call("a2", "Rome"),
      ...finish("tool_calls"),
    ]
  }
  return [
    { type: "prompt", tokens: 5 },
    { type: "part-start", choice: 0, part: "reasoning" },
    { type: "delta", choice: 0, part: "reasoning", text: "I know it.", tokens: 1 },
    { type: "part-end", choice: 0, part: "reasoning" },
    { type: "delta", choice: 0, part: "text", text: `It is ${results.join(" and ")}.`, tokens: 5 },
    ...finish("stop"),
  ]
}

const Place = z.object({ city: z.string() })
const QUESTION = { model: "tiny", messages: [{ role: "user" as const, content: "Oslo? Rome?" }] }
const DEGREES: Readonly<Record<string, number>> = { Oslo: 7, Rome: 21 }

/** A tool as `runTools` takes it. */
function weatherTool(asked: string[]) {
  return {
    type: "function" as const,
    function: {
      name: "weather",
      description: "The weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      parse: (text: string) => Place.parse(JSON.parse(text)),
      function: async ({ city }: z.infer<typeof Place>) => {
        asked.push(city)
        return `${DEGREES[city]} degrees`
      },
    },
  }
}

/** The calls with their ids, functions and arguments. */
function parsedOf(calls: readonly ParsedChatCompletionMessageToolCall[] | undefined) {
  return calls?.map((one) =>
    one.type === "function" ? [one.id, one.function.name, one.function.parsed_arguments] : [],
  )
}

test.each([false, true])("OpenAI's client runs tools, as a stream: %p", async (stream) => {
  const { client, requests } = await serve(forecaster)
  const asked: string[] = []
  const tools = [weatherTool(asked)]
  const runner = stream
    ? client.chat.completions.runTools({ ...QUESTION, tools, stream: true })
    : client.chat.completions.runTools({ ...QUESTION, tools })
  expect(await runner.finalContent()).toBe("It is 7 degrees and 21 degrees.")
  expect(asked).toEqual(["Oslo", "Rome"])
  expect(requests()[1]?.messages.slice(1)).toEqual([
    {
      role: "assistant",
      content: "",
      toolCalls: [
        { id: "a1", name: "weather", arguments: '{"city":"Oslo"}' },
        { id: "a2", name: "weather", arguments: '{"city":"Rome"}' },
      ],
    },
    { role: "tool", content: "7 degrees", toolCallId: "a1", name: "weather" },
    { role: "tool", content: "21 degrees", toolCallId: "a2", name: "weather" },
  ])
})

test("OpenAI's client collects the calls of a stream, with their arguments parsed", async () => {
  const { client } = await serve(forecaster)
  const stream = client.chat.completions.stream({
    ...QUESTION,
    tools: [zodFunction({ name: "weather", parameters: Place })],
  })
  const finished: [number, string, unknown][] = []
  stream.on("tool_calls.function.arguments.done", ({ index, name, parsed_arguments }) => {
    finished.push([index, name, parsed_arguments])
  })
  const { choices } = await stream.finalChatCompletion()
  expect(choices[0]?.finish_reason).toBe("tool_calls")
  expect(parsedOf(choices[0]?.message.tool_calls)).toEqual([
    ["a1", "weather", { city: "Oslo" }],
    ["a2", "weather", { city: "Rome" }],
  ])
  expect(finished).toEqual([
    [0, "weather", { city: "Oslo" }],
    [1, "weather", { city: "Rome" }],
  ])
})

test("OpenAI's client parses the arguments of a whole answer", async () => {
  const { client, requests } = await serve(forecaster)
  const { choices } = await client.chat.completions.parse({
    ...QUESTION,
    tools: [zodFunction({ name: "weather", parameters: Place })],
    tool_choice: "required",
  })
  expect(parsedOf(choices[0]?.message.tool_calls)).toEqual([
    ["a1", "weather", { city: "Oslo" }],
    ["a2", "weather", { city: "Rome" }],
  ])
  expect(requests()[0]?.tools).toMatchObject({
    choice: "required",
    tools: [{ name: "weather", isStrict: true, parameters: { type: "object", required: ["city"] } }],
  })
})
