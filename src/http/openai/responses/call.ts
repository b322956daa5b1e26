import type { ChatRequest, OutputConstraint, ReasoningOptions } from "../../../domain/chat"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import { COUNTS, NUMBERS, TEXTS } from "../../../limits"
import { readAdapters } from "../../read/adapters"
import { defined, Fields } from "../../read/fields"
import type { HeaderOptions } from "../../read/headers"
import type { JsonObject } from "../../read/body/json-body"
import { type MediaSink, TEXT_ONLY } from "../../read/media/media-sink"
import { readModelOptions } from "../../read/options"
import { checkSchema } from "../../read/output-constraint"
import { readSampling } from "../../read/sampling"
import { inputItems, type ItemList, readItems } from "./items"
import { readResponseTools } from "./tools"
import type { ToolForms } from "./tool-forms"

/** How to write the answer. */
export interface ResponseReply {
  readonly stream: boolean
  readonly forms: ToolForms
  /** The thinking is reported as its summary. */
  readonly isSummary: boolean
  /** Thinking also comes in a form that clients send back. */
  readonly isOpaque: boolean
  /** Fields of the request that its response repeats. */
  readonly echoed: JsonObject
  /** Deviations from what the client may expect, one sentence each. */
  readonly warnings: readonly string[]
}

/** A call of `/v1/responses`. */
export interface ResponsesCall {
  readonly request: ChatRequest
  readonly reply: ResponseReply
  /** Whether the client wants the response to be kept; absent: as configured. */
  readonly store?: boolean
  /** Its own items, without the conversation before. */
  readonly input: readonly unknown[]
  /** Drop the oldest messages of a conversation that is too long. */
  readonly truncates: boolean
  /** Types of tools that only the service has; they were left out. */
  readonly leftOut: readonly string[]
}

/** What a response repeats, with what is there if the request says nothing. */
const ECHOED: JsonObject = {
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  metadata: {},
  parallel_tool_calls: true,
  previous_response_id: null,
  prompt_cache_key: null,
  reasoning: null,
  safety_identifier: null,
  temperature: null,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_logprobs: 0,
  top_p: null,
  truncation: "disabled",
  user: null,
}

/**
 * @param earlier the conversation that the request continues
 * @throws InvalidRequest, Unsupported
 */
export function toResponsesCall(
  body: JsonObject,
  headers: HeaderOptions = {},
  earlier: readonly ItemList[] = [],
  media: MediaSink = TEXT_ONLY,
): ResponsesCall {
  const fields = new Fields(body)
  refuseState(fields)
  const input = inputItems(fields.unchecked("input"))
  const items = readItems(fields, [...earlier, { path: "input", items: input }], media)
  const { messages } = items
  const tools = readResponseTools(fields, items.tools)
  const isContinued = messages.at(-1)?.role === "assistant"
  const echoed = Object.entries(ECHOED).map(([name, otherwise]) => [name, body[name] ?? otherwise] as const)
  const include = fields.list("include", COUNTS.words) ?? []
  const reasoning = new Fields(fields.object("reasoning") ?? {}, "reasoning.")
  const summary = reasoning.text("summary", TEXTS.word) ?? reasoning.text("generate_summary", TEXTS.word)
  const store = fields.boolean("store")
  return {
    input,
    ...(store !== undefined && { store }),
    truncates: fields.choice("truncation", ["auto", "disabled"] as const) === "auto",
    leftOut: tools.leftOut,
    reply: {
      stream: fields.boolean("stream") ?? false,
      forms: tools.forms,
      isSummary: summary !== undefined && summary !== "none",
      isOpaque: include.includes("reasoning.encrypted_content"),
      echoed: Object.fromEntries(echoed),
      warnings: [
        ...leftOutOf("tools", tools.leftOut),
        ...leftOutOf("items of the conversation", items.leftOut),
        ...tools.warnings,
      ],
    },
    request: {
      kind: "chat",
      ...headers,
      ...readModelOptions(fields),
      messages,
      templateArguments: {},
      addGenerationPrompt: !isContinued,
      continueFinalMessage: isContinued,
      n: 1,
      minTokens: 0,
      stop: [],
      cachePrompt: true,
      returnProgress: false,
      sampling: readSampling(fields),
      ...defined({
        lora: readAdapters(fields),
        maxTokens: fields.integer("max_output_tokens", { ...NUMBERS.tokens, min: 1 }),
        topLogprobs: readTopLogprobs(fields, include),
        output: readFormat(fields),
        reasoning: readReasoningEffort(reasoning),
        tools: tools.use,
      }),
    },
  }
}

function leftOutOf(what: string, types: readonly string[]): readonly string[] {
  if (types.length === 0) return []
  return [`${what} that cannot be run or read here were left out: ${[...new Set(types)].join(", ")}`]
}

/** @throws Unsupported */
function refuseState(fields: Fields): void {
  if (fields.unchecked("conversation") !== undefined)
    throw new Unsupported(
      "conversation is not supported: continue a response with previous_response_id, or send all items as input",
      "conversation",
    )
  if (fields.unchecked("prompt") !== undefined)
    throw new Unsupported("prompt is not supported: send its text as instructions and input", "prompt")
  if (fields.boolean("background") === true)
    throw new Unsupported("background is not supported: the answer comes with the request", "background")
}

function readTopLogprobs(fields: Fields, include: readonly unknown[]): number | undefined {
  const top = fields.integer("top_logprobs", NUMBERS.topLogprobs) ?? 0
  return top > 0 || include.includes("message.output_text.logprobs") ? top : undefined
}

function readReasoningEffort(reasoning: Fields): ReasoningOptions | undefined {
  const effort = reasoning.text("effort", TEXTS.word)
  if (effort === undefined) return undefined
  return effort === "none" ? { effort, isEnabled: false } : { effort }
}

function readFormat(fields: Fields): OutputConstraint | undefined {
  const text = new Fields(fields.object("text") ?? {}, "text.")
  const given = text.object("format")
  if (given === undefined) return undefined
  const format = new Fields(given, "text.format.")
  switch (format.choice("type", ["text", "json_object", "json_schema"] as const)) {
    case "json_object":
      return { type: "json" }
    case "json_schema": {
      const schema = format.object("schema")
      if (schema === undefined)
        throw new InvalidRequest("text.format.schema is required: the schema of the answer", "text")
      checkSchema("text.format.schema", schema)
      return { type: "schema", schema, isStrict: format.boolean("strict") ?? false }
    }
    default:
      return undefined
  }
}
