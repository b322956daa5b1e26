import { chunksOf, type Json } from "../../support/http"

/** A tool as every API describes one, in its own words. */
export interface AskedTool {
  readonly name: string
  readonly parameters: Json
}

/** A request, in no API's words. */
export interface Asked {
  readonly model: string
  readonly question: string
  /** The question as the model's template writes it, for APIs without chats. */
  readonly prompt: string
  readonly maxTokens?: number
  readonly temperature: number
  readonly stop?: readonly string[]
  readonly schema?: Json
  readonly tools?: readonly AskedTool[]
  readonly isForced?: boolean
  /** Absent: as the API has it. */
  readonly thinks?: boolean
}

export interface ToldCall {
  readonly name: string
  readonly arguments: unknown
}

/** An answer, in no API's words. */
export interface Told {
  readonly text: string
  readonly thinking: string
  readonly calls: readonly ToldCall[]
  readonly end: "stop" | "length" | "calls"
  readonly promptTokens: number
  readonly tokens: number
}

type Feature = "stop" | "tools" | "forced" | "thinking"

/** What the scenarios need to know of an API. */
export interface Adapter {
  readonly name: string
  readonly path: string
  readonly can: readonly Feature[]
  body(asked: Asked, stream: boolean): Json
  whole(body: Json): Told
  /** @throws where the stream does not end as the API's streams do */
  streamed(text: string): Told
  /** The sentence of an error. */
  message(body: Json): unknown
}

/** The seed of all requests. */
const SEED = 7

/** A value deep in a body. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Json | undefined)?.[key], value)
}

function textAt(value: unknown, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path)
  return typeof found === "string" ? found : ""
}

function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

function defined(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** Names of events and their data. */
function namedEvents(text: string): readonly Json[] {
  return text
    .split("\n\n")
    .filter((event) => event !== "" && !event.startsWith(":"))
    .map((event) => JSON.parse(event.slice(event.indexOf("data: ") + 6)) as Json)
}

function insist(isSo: boolean, what: string, text: string): void {
  if (!isSo) throw new Error(`${what}: …${text.slice(-300)}`)
}

const openAiTool = ({ name, parameters }: AskedTool) => ({ type: "function", function: { name, parameters } })

const openAiEnds: Readonly<Record<string, Told["end"]>> = {
  stop: "stop",
  length: "length",
  tool_calls: "calls",
}

const openAiChat: Adapter = {
  name: "OpenAI's chats",
  path: "/v1/chat/completions",
  can: ["stop", "tools", "forced", "thinking"],
  body: (asked, stream) =>
    defined({
      model: asked.model,
      messages: [{ role: "user", content: asked.question }],
      max_tokens: asked.maxTokens,
      temperature: asked.temperature,
      seed: SEED,
      stop: asked.stop,
      stream,
      stream_options: stream ? { include_usage: true } : undefined,
      tools: asked.tools?.map(openAiTool),
      tool_choice: asked.isForced ? "required" : undefined,
      parallel_tool_calls: asked.tools && false,
      reasoning_effort: asked.thinks === false ? "none" : undefined,
      response_format: asked.schema && {
        type: "json_schema",
        json_schema: { name: "answer", schema: asked.schema },
      },
    }),
  whole: (body) => {
    const message = at(body, "choices", 0, "message")
    return {
      text: textAt(message, "content"),
      thinking: textAt(message, "reasoning_content"),
      calls: listAt(message, "tool_calls").map((call) => ({
        name: textAt(call, "function", "name"),
        arguments: JSON.parse(textAt(call, "function", "arguments")),
      })),
      end: openAiEnds[textAt(body, "choices", 0, "finish_reason")] ?? "stop",
      promptTokens: Number(at(body, "usage", "prompt_tokens")),
      tokens: Number(at(body, "usage", "completion_tokens")),
    }
  },
  streamed: (text) => {
    insist(text.endsWith("data: [DONE]\n\n"), "no [DONE]", text)
    const chunks = chunksOf(text)
    const deltas = chunks.map((chunk) => at(chunk, "choices", 0, "delta"))
    const joined = (...path: readonly (string | number)[]) =>
      deltas.map((delta) => textAt(delta, ...path)).join("")
    const name = joined("tool_calls", 0, "function", "name")
    return {
      text: joined("content"),
      thinking: joined("reasoning_content"),
      calls:
        name === ""
          ? []
          : [{ name, arguments: JSON.parse(joined("tool_calls", 0, "function", "arguments")) }],
      end: openAiEnds[chunks.map((chunk) => textAt(chunk, "choices", 0, "finish_reason")).join("")] ?? "stop",
      promptTokens: Number(at(chunks.at(-1), "usage", "prompt_tokens")),
      tokens: Number(at(chunks.at(-1), "usage", "completion_tokens")),
    }
  },
  message: (body) => at(body, "error", "message"),
}

const openAiCompletions: Adapter = {
  name: "OpenAI's completions",
  path: "/v1/completions",
  can: ["stop"],
  body: (asked, stream) =>
    defined({
      model: asked.model,
      prompt: asked.prompt,
      max_tokens: asked.maxTokens ?? -1,
      temperature: asked.temperature,
      seed: SEED,
      stop: asked.stop,
      stream,
      stream_options: stream ? { include_usage: true } : undefined,
      json_schema: asked.schema,
    }),
  whole: (body) => ({
    ...openAiChat.whole(body),
    text: textAt(body, "choices", 0, "text"),
  }),
  streamed: (text) => ({
    ...openAiChat.streamed(text),
    text: chunksOf(text)
      .map((chunk) => textAt(chunk, "choices", 0, "text"))
      .join(""),
  }),
  message: openAiChat.message,
}

const responses: Adapter = {
  name: "OpenAI's responses",
  path: "/v1/responses",
  can: ["tools", "forced", "thinking"],
  body: (asked, stream) =>
    defined({
      model: asked.model,
      input: asked.question,
      max_output_tokens: asked.maxTokens,
      temperature: asked.temperature,
      seed: SEED,
      stream,
      tools: asked.tools?.map(({ name, parameters }) => ({ type: "function", name, parameters })),
      tool_choice: asked.isForced ? "required" : undefined,
      parallel_tool_calls: asked.tools && false,
      reasoning: asked.thinks === undefined ? undefined : { effort: asked.thinks ? "medium" : "none" },
      text: asked.schema && { format: { type: "json_schema", name: "answer", schema: asked.schema } },
    }),
  whole: (body) => {
    const output = listAt(body, "output")
    const textsOf = (type: string) =>
      output
        .filter((item) => textAt(item, "type") === type)
        .map((item) => textAt(item, "content", 0, "text"))
        .join("")
    const calls = output
      .filter((item) => textAt(item, "type") === "function_call")
      .map((item) => ({ name: textAt(item, "name"), arguments: JSON.parse(textAt(item, "arguments")) }))
    const isCut = textAt(body, "incomplete_details", "reason") === "max_output_tokens"
    return {
      text: textsOf("message"),
      thinking: textsOf("reasoning"),
      calls,
      end: isCut ? "length" : calls.length > 0 ? "calls" : "stop",
      promptTokens: Number(at(body, "usage", "input_tokens")),
      tokens: Number(at(body, "usage", "output_tokens")),
    }
  },
  streamed: (text) => {
    const events = namedEvents(text)
    const last = events.at(-1)
    insist(/^response\.(completed|incomplete)$/.test(textAt(last, "type")), "no end", text)
    const joined = (type: string) =>
      events
        .filter((event) => textAt(event, "type") === type)
        .map((event) => textAt(event, "delta"))
        .join("")
    const whole = responses.whole((last?.["response"] ?? {}) as Json)
    const args = joined("response.function_call_arguments.delta")
    return {
      ...whole,
      text: joined("response.output_text.delta"),
      thinking: joined("response.reasoning_text.delta"),
      calls: whole.calls.map(({ name }) => ({ name, arguments: JSON.parse(args) })),
    }
  },
  message: openAiChat.message,
}

const anthropicEnds: Readonly<Record<string, Told["end"]>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  tool_use: "calls",
}

const anthropic: Adapter = {
  name: "Anthropic's messages",
  path: "/v1/messages",
  can: ["stop", "tools", "forced", "thinking"],
  body: (asked, stream) =>
    defined({
      model: asked.model,
      messages: [{ role: "user", content: asked.question }],
      max_tokens: asked.maxTokens,
      temperature: asked.temperature,
      seed: SEED,
      stop_sequences: asked.stop,
      stream,
      tools: asked.tools?.map(({ name, parameters }) => ({ name, input_schema: parameters })),
      tool_choice: asked.tools && { type: asked.isForced ? "any" : "auto", disable_parallel_tool_use: true },
      thinking: asked.thinks ? { type: "enabled", budget_tokens: 1024 } : undefined,
      output_config: asked.schema && { format: { type: "json_schema", schema: asked.schema } },
    }),
  whole: (body) => {
    const blocks = listAt(body, "content")
    const joined = (type: string) => blocks.map((block) => textAt(block, type)).join("")
    return {
      text: joined("text"),
      thinking: joined("thinking"),
      calls: blocks
        .filter((block) => textAt(block, "type") === "tool_use")
        .map((block) => ({ name: textAt(block, "name"), arguments: at(block, "input") })),
      end: anthropicEnds[textAt(body, "stop_reason")] ?? "stop",
      promptTokens:
        Number(at(body, "usage", "input_tokens")) + Number(at(body, "usage", "cache_read_input_tokens")),
      tokens: Number(at(body, "usage", "output_tokens")),
    }
  },
  streamed: (text) => {
    const events = namedEvents(text)
    insist(textAt(events.at(-1), "type") === "message_stop", "no message_stop", text)
    const joined = (name: string) => events.map((event) => textAt(event, "delta", name)).join("")
    const starts = events.map((event) => at(event, "content_block")).filter((block) => block !== undefined)
    const end = events.find((event) => textAt(event, "type") === "message_delta")
    const args = joined("partial_json")
    return {
      text: joined("text"),
      thinking: joined("thinking"),
      calls: starts
        .filter((block) => textAt(block, "type") === "tool_use")
        .map((block) => ({ name: textAt(block, "name"), arguments: JSON.parse(args) })),
      end: anthropicEnds[textAt(end, "delta", "stop_reason")] ?? "stop",
      promptTokens:
        Number(at(end, "usage", "input_tokens")) + Number(at(end, "usage", "cache_read_input_tokens")),
      tokens: Number(at(end, "usage", "output_tokens")),
    }
  },
  message: openAiChat.message,
}

function ollamaOptions(asked: Asked): Json {
  return defined({
    temperature: asked.temperature,
    seed: SEED,
    num_predict: asked.maxTokens,
    stop: asked.stop,
  })
}

/** An answer from its records; `pick` finds one's message. */
function ollamaTold(records: readonly unknown[], pick: (record: unknown) => unknown, textName: string): Told {
  const messages = records.map(pick)
  const calls = messages.flatMap((message) => listAt(message, "tool_calls"))
  const last = records.at(-1)
  const isCut = textAt(last, "done_reason") === "length"
  return {
    text: messages.map((message) => textAt(message, textName)).join(""),
    thinking: messages.map((message) => textAt(message, "thinking")).join(""),
    calls: calls.map((call) => ({
      name: textAt(call, "function", "name"),
      arguments: at(call, "function", "arguments"),
    })),
    // Ollama has no reason of its own for calls.
    end: isCut ? "length" : calls.length > 0 ? "calls" : "stop",
    promptTokens: Number(at(last, "prompt_eval_count")),
    tokens: Number(at(last, "eval_count")),
  }
}

function ollamaRecords(text: string): readonly unknown[] {
  insist(text.endsWith("\n"), "no end of the last line", text)
  const records = text
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line))
  const ends = records.map((record) => at(record, "done"))
  insist(ends.lastIndexOf(false) < ends.indexOf(true), "no last record", text)
  return records
}

const ollamaChat: Adapter = {
  name: "Ollama's chats",
  path: "/api/chat",
  can: ["stop", "tools", "thinking"],
  body: (asked, stream) =>
    defined({
      model: asked.model,
      messages: [{ role: "user", content: asked.question }],
      options: ollamaOptions(asked),
      format: asked.schema,
      stream,
      tools: asked.tools?.map(openAiTool),
      think: asked.thinks,
    }),
  whole: (body) => ollamaTold([body], (record) => at(record, "message"), "content"),
  streamed: (text) => ollamaTold(ollamaRecords(text), (record) => at(record, "message"), "content"),
  message: (body) => at(body, "error"),
}

const ollamaGenerate: Adapter = {
  name: "Ollama's generations",
  path: "/api/generate",
  can: ["stop", "thinking"],
  body: (asked, stream) =>
    defined({
      model: asked.model,
      prompt: asked.question,
      options: ollamaOptions(asked),
      format: asked.schema,
      stream,
      think: asked.thinks,
    }),
  whole: (body) => ollamaTold([body], (record) => record, "response"),
  streamed: (text) => ollamaTold(ollamaRecords(text), (record) => record, "response"),
  message: (body) => at(body, "error"),
}

const llamaServer: Adapter = {
  name: "llama-server's completions",
  path: "/completion",
  can: ["stop"],
  body: (asked, stream) =>
    defined({
      model: asked.model,
      prompt: asked.prompt,
      n_predict: asked.maxTokens,
      temperature: asked.temperature,
      seed: SEED,
      stop: asked.stop,
      stream,
      json_schema: asked.schema,
    }),
  whole: (body) => nativeTold([body]),
  streamed: (text) => {
    const events = chunksOf(text)
    insist(at(events.at(-1), "stop") === true, "no last message", text)
    return nativeTold(events)
  },
  message: openAiChat.message,
}

function nativeTold(bodies: readonly Json[]): Told {
  const last = bodies.at(-1)
  return {
    text: bodies.map((body) => textAt(body, "content")).join(""),
    thinking: "",
    calls: [],
    end: textAt(last, "stop_type") === "limit" ? "length" : "stop",
    promptTokens: Number(at(last, "tokens_evaluated")),
    tokens: Number(at(last, "tokens_predicted")),
  }
}

export const ADAPTERS: readonly Adapter[] = [
  openAiChat,
  openAiCompletions,
  responses,
  anthropic,
  ollamaChat,
  ollamaGenerate,
  llamaServer,
]
