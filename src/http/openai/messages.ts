import type { ChatMessage, Content, Role, ToolCall } from "../../domain/chat"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { COUNTS, SHOWN, type TextBound, TEXTS, TOOLS } from "../../limits"
import { checkText, defined, Fields, invalidField, tooMany } from "../read/fields"
import { isJsonObject } from "../read/body/json-body"
import type { MediaSink } from "../read/media/media-sink"
import { checkNested } from "../read/nested-value"
import { CallHistory } from "../read/call-history"
import { readPart } from "./content-parts"

/** `function`: the older name of `tool`. */
const ROLES = ["system", "developer", "user", "assistant", "tool", "function"] as const satisfies readonly (
  Role | "function"
)[]

/**
 * Reads the `messages` of a chat request.
 * @throws InvalidRequest, and Unsupported for content of other types and calls of other tools than functions
 */
export function readMessages(fields: Fields, media: MediaSink): readonly ChatMessage[] {
  const messages = fields.list("messages", COUNTS.messages)
  if (messages === undefined) throw new InvalidRequest("messages is required", "messages")
  if (messages.length === 0) throw new InvalidRequest("messages must not be empty", "messages")
  checkParts(messages)
  const calls = new CallHistory()
  return messages.map((message, index) => readMessage(`messages[${index}]`, message, { calls, media }))
}

/** @throws InvalidRequest if all messages together have too many parts, or tool calls */
function checkParts(messages: readonly unknown[]): void {
  let parts = 0
  for (const message of messages) {
    if (!isJsonObject(message)) continue
    for (const list of [message["content"], message["tool_calls"]])
      if (Array.isArray(list)) parts += list.length
  }
  const { maxItems } = COUNTS.contentParts
  if (parts > maxItems) throw tooMany("messages", maxItems, "parts of content in all", parts)
}

type ReadRole = (typeof ROLES)[number]

interface Reading {
  readonly calls: CallHistory
  readonly media: MediaSink
}

function readMessage(path: string, value: unknown, { calls, media }: Reading): ChatMessage {
  if (!isJsonObject(value)) throw invalidField(path, "an object", value)
  const fields = new Fields(value, `${path}.`)
  const role = fields.choice("role", ROLES)
  if (role === undefined) throw new InvalidRequest(`${path}.role is required`, `${path}.role`)
  if (fields.unchecked("audio") !== undefined)
    throw new Unsupported(`${path}.audio is not supported yet`, `${path}.audio`)
  const toolCalls = readToolCalls(path, fields, role) ?? readFunctionCall(path, fields, role, calls)
  for (const call of toolCalls ?? []) calls.add(call)
  return {
    role: role === "function" ? "tool" : role,
    content: readContent(`${path}.content`, fields.unchecked("content"), role, media),
    ...defined({
      toolCalls,
      name: fields.text("name", TEXTS.name),
      reasoning: role === "assistant" ? readThought(fields) : undefined,
    }),
    ...(role === "tool" &&
      answered(calls.withId(`${path}.tool_call_id`, fields.text("tool_call_id", TEXTS.id)))),
    ...(role === "function" && answered(calls.named(`${path}.name`, fields.text("name", TEXTS.name)))),
  }
}

/** What a result has of its call. Some templates show the function's name, which clients need not repeat. */
function answered({ id, name }: ToolCall): Pick<ChatMessage, "toolCallId" | "name"> {
  return { toolCallId: id, name }
}

/** What the assistant thought, under DeepSeek's name, or vLLM's and OpenRouter's. */
function readThought(fields: Fields): string | undefined {
  const thought = ["reasoning_content", "reasoning"].map((name) => fields.text(name, TEXTS.prompt))
  return thought.find((text) => text !== undefined && text !== "")
}

/** The older form of a message with one call, which has no id. */
function readFunctionCall(
  path: string,
  fields: Fields,
  role: ReadRole,
  calls: CallHistory,
): readonly ToolCall[] | undefined {
  const given = fields.object("function_call")
  if (given === undefined) return undefined
  const place = `${path}.function_call`
  if (role !== "assistant")
    throw new InvalidRequest(`${place} is for role assistant only, got ${role}`, place)
  return [{ id: calls.newId(), ...readCalled(place, new Fields(given, `${place}.`)) }]
}

function readToolCalls(path: string, fields: Fields, role: ReadRole): readonly ToolCall[] | undefined {
  const calls = fields.list("tool_calls", COUNTS.contentParts) ?? []
  if (calls.length === 0) return undefined
  if (role === "assistant")
    return calls.map((call, index) => readToolCall(`${path}.tool_calls[${index}]`, call))
  throw new InvalidRequest(`${path}.tool_calls is for role assistant only, got ${role}`, `${path}.tool_calls`)
}

function readToolCall(path: string, call: unknown): ToolCall {
  if (!isJsonObject(call)) throw invalidField(path, "an object", call)
  const fields = new Fields(call, `${path}.`)
  const type = fields.text("type", TEXTS.word) ?? "function"
  if (type !== "function") {
    const given = JSON.stringify(shorten(type, SHOWN.value))
    throw new Unsupported(`${path} has type ${given}; only function is supported so far`, path)
  }
  const called = new Fields(fields.object("function") ?? {}, `${path}.function.`)
  return { id: required(fields, "id", TEXTS.id, path), ...readCalled(`${path}.function`, called) }
}

function readCalled(path: string, fields: Fields): Omit<ToolCall, "id"> {
  return {
    name: required(fields, "name", TEXTS.name, path),
    arguments: readArguments(`${path}.arguments`, fields) ?? "{}",
  }
}

/** OpenAI's arguments are JSON in a string. Ollama's are an object, which llama-server accepts as well. */
function readArguments(path: string, fields: Fields): string | undefined {
  const given = fields.unchecked("arguments")
  if (!isJsonObject(given)) return fields.text("arguments", TEXTS.prompt)
  checkNested(path, given, TOOLS)
  return JSON.stringify(given)
}

/** @throws InvalidRequest if there is no such text */
function required(fields: Fields, name: string, bound: TextBound, path: string): string {
  const text = fields.text(name, bound)
  if (text === undefined) throw new InvalidRequest(`${path}.${name} is required`, `${path}.${name}`)
  return text
}

function readContent(path: string, content: unknown, role: ReadRole, media: MediaSink): Content {
  if (content === undefined) {
    if (role === "assistant") return ""
    throw new InvalidRequest(`${path} is required for role ${role}`, path)
  }
  if (typeof content === "string") return checkText(path, content, TEXTS.prompt)
  if (!Array.isArray(content)) throw invalidField(path, "a string or an array of parts", content)
  return content.map((part, index) => readPart(`${path}[${index}]`, part, media))
}
