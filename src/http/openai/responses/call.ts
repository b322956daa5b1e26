import type { ChatRequest, OutputConstraint, ReasoningOptions } from "../../../domain/chat"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import { NUMBERS, TEXTS } from "../../../limits"
import { readAdapters } from "../../read/adapters"
import { defined, Fields } from "../../read/fields"
import type { HeaderOptions } from "../../read/headers"
import type { JsonObject } from "../../read/body/json-body"
import { readModelOptions } from "../../read/options"
import { checkSchema } from "../../read/output-constraint"
import { readSampling } from "../../read/sampling"
import { readItems } from "./items"
import { readResponseTools, type ResponseTools } from "./tools"

/** A call of `/v1/responses`. */
export interface ResponsesCall {
  readonly request: ChatRequest
  readonly stream: boolean
  readonly tools: ResponseTools
  /** Drop the oldest messages of a conversation that is too long. */
  readonly truncates: boolean
  /** Fields of the request that its response repeats. */
  readonly echoed: JsonObject
}

/** What a response repeats, with what is there if the request says nothing. */
const ECHOED: JsonObject = {
  instructions: null,
  max_output_tokens: null,
  metadata: {},
  parallel_tool_calls: true,
  reasoning: null,
  temperature: null,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_p: null,
  truncation: "disabled",
  user: null,
}

/** @throws InvalidRequest, Unsupported */
export function toResponsesCall(body: JsonObject, headers: HeaderOptions = {}): ResponsesCall {
  const fields = new Fields(body)
  refuseState(fields)
  const messages = readItems(fields)
  const tools = readResponseTools(fields)
  const isContinued = messages.at(-1)?.role === "assistant"
  const echoed = Object.entries(ECHOED).map(([name, otherwise]) => [name, body[name] ?? otherwise] as const)
  return {
    stream: fields.boolean("stream") ?? false,
    tools,
    truncates: fields.choice("truncation", ["auto", "disabled"] as const) === "auto",
    echoed: Object.fromEntries(echoed),
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
        output: readFormat(fields),
        reasoning: readReasoningEffort(fields),
        tools: tools.use,
      }),
    },
  }
}

/** Nothing is kept between requests. @throws Unsupported */
function refuseState(fields: Fields): void {
  for (const name of ["previous_response_id", "conversation", "prompt"])
    if (fields.unchecked(name) !== undefined)
      throw new Unsupported(`${name} is not supported: send the whole conversation as input`, name)
  if (fields.boolean("background") === true)
    throw new Unsupported("background is not supported: the answer comes with the request", "background")
}

function readReasoningEffort(fields: Fields): ReasoningOptions | undefined {
  const effort = new Fields(fields.object("reasoning") ?? {}, "reasoning.").text("effort", TEXTS.word)
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
