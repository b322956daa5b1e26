import type { ChatRequest, OutputConstraint, ReasoningOptions } from "../../domain/chat"
import type { Tool, ToolUse } from "../../domain/tools"
import { InvalidRequest } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { COUNTS, NUMBERS, SHOWN, TEXTS, TOOLS } from "../../limits"
import { readAdapters } from "../read/adapters"
import { checkText, defined, Fields, invalidField } from "../read/fields"
import type { HeaderOptions } from "../read/headers"
import { isJsonObject, type JsonObject } from "../read/body/json-body"
import { type MediaSink, TEXT_ONLY } from "../read/media/media-sink"
import { readModelOptions } from "../read/options"
import { checkSchema } from "../read/output-constraint"
import { readSampling } from "../read/sampling"
import { checkCallable, checkTools, readFunction } from "../read/tools"
import { readAnthropicMessages } from "./messages"

/** A call of `/v1/messages`. */
export interface MessagesCall {
  readonly request: ChatRequest
  readonly model: string
  readonly stream: boolean
  /** Names of tools that only the service has; they were left out. */
  readonly leftOut: readonly string[]
}

/** @throws InvalidRequest, Unsupported */
export function toMessagesCall(
  body: JsonObject,
  headers: HeaderOptions = {},
  media: MediaSink = TEXT_ONLY,
): MessagesCall {
  const fields = new Fields(body)
  const { model, ...modelOptions } = readModelOptions(fields)
  if (model === undefined) throw new InvalidRequest("model is required", "model")
  const messages = readAnthropicMessages(fields, media)
  const { use, leftOut } = readToolUse(fields)
  const isContinued = messages.at(-1)?.role === "assistant"
  const config = new Fields(fields.object("output_config") ?? {}, "output_config.")
  return {
    model,
    stream: fields.boolean("stream") ?? false,
    leftOut,
    request: {
      kind: "chat",
      model,
      ...headers,
      ...modelOptions,
      messages,
      templateArguments: {},
      addGenerationPrompt: !isContinued,
      continueFinalMessage: isContinued,
      n: 1,
      minTokens: 0,
      cachePrompt: true,
      returnProgress: false,
      stop: readStops(fields),
      sampling: readSampling(fields),
      reasoning: readThinking(fields, config),
      ...defined({
        lora: readAdapters(fields),
        maxTokens: fields.integer("max_tokens", { ...NUMBERS.tokens, min: 1 }),
        output: readOutput(fields, config),
        tools: use,
      }),
    },
  }
}

function readStops(fields: Fields): readonly string[] {
  const given = fields.list("stop_sequences", COUNTS.stops) ?? []
  return given
    .map((text, index) => checkText(`stop_sequences[${index}]`, text, TEXTS.stop))
    .filter((text) => text !== "")
}

/** Unless it is asked for, a model does not think, as in Anthropic's API. */
function readThinking(fields: Fields, config: Fields): ReasoningOptions {
  const thinking = new Fields(fields.object("thinking") ?? {}, "thinking.")
  const type = thinking.text("type", TEXTS.word) ?? "disabled"
  const isEnabled = type !== "disabled"
  const effort = config.text("effort", TEXTS.word)
  return {
    isEnabled,
    ...(isEnabled && defined({ effort, budgetTokens: thinking.integer("budget_tokens", NUMBERS.tokens) })),
  }
}

/** `output_config.format`, or its earlier name `output_format`: a JSON schema. */
function readOutput(fields: Fields, config: Fields): OutputConstraint | undefined {
  const given = config.object("format") ?? fields.object("output_format")
  if (given === undefined) return undefined
  const format = new Fields(given, "output_config.format.")
  format.choice("type", ["json_schema"] as const)
  const schema = format.object("schema")
  if (schema === undefined)
    throw new InvalidRequest(
      "output_config.format.schema is required: the schema of the answer",
      "output_config",
    )
  checkSchema("output_config.format.schema", schema)
  return { type: "schema", schema, isStrict: false }
}

function readToolUse(fields: Fields): {
  readonly use: ToolUse | undefined
  readonly leftOut: readonly string[]
} {
  const given = fields.list("tools", TOOLS) ?? []
  const tools: Tool[] = []
  const places: number[] = []
  const leftOut: string[] = []
  given.forEach((value, index) => {
    const path = `tools[${index}]`
    if (!isJsonObject(value)) throw invalidField(path, "an object", value)
    const type = new Fields(value, `${path}.`).text("type", TEXTS.word) ?? "custom"
    if (type === "custom") {
      tools.push(readTool(path, value))
      places.push(index)
    } else leftOut.push(shorten(type, SHOWN.name))
  })
  checkTools("tools", tools, (index) => `tools[${places[index] ?? 0}]`)
  return { use: readChoice(fields, tools), leftOut }
}

function readTool(path: string, value: JsonObject): Tool {
  const { input_schema: parameters, name, description, strict } = value
  return readFunction(path, { name, description, strict, parameters })
}

function readChoice(fields: Fields, tools: readonly Tool[]): ToolUse | undefined {
  const choice = new Fields(fields.object("tool_choice") ?? {}, "tool_choice.")
  const type = choice.choice("type", ["auto", "any", "tool", "none"] as const) ?? "auto"
  const isParallel = !(choice.boolean("disable_parallel_tool_use") ?? false)
  if (type === "tool") {
    const name = choice.text("name", TEXTS.name) ?? ""
    checkCallable("tool_choice.name", name, tools)
    return { tools, choice: "required", callable: [name], isParallel: false }
  }
  if (type === "any" && tools.length === 0)
    throw new InvalidRequest("tool_choice any needs tools: there are none to call", "tool_choice")
  if (type === "none" || tools.length === 0) return undefined
  return { tools, choice: type === "any" ? "required" : "auto", isParallel }
}
