import type { ChatMessage, Content, ContentPart, Role, ToolCall } from "../../domain/chat"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { COUNTS, SHOWN, type TextBound, TEXTS } from "../../limits"
import { checkText, defined, Fields, invalidField, tooMany } from "../read/fields"
import { isJsonObject, type JsonObject } from "../read/json-body"

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const satisfies readonly Role[]

/**
 * Reads the `messages` of a chat request.
 * @throws InvalidRequest, and Unsupported for content other than text and calls of other tools than functions
 */
export function readMessages(fields: Fields): readonly ChatMessage[] {
  const messages = fields.list("messages", COUNTS.messages)
  if (messages === undefined) throw new InvalidRequest("messages is required", "messages")
  if (messages.length === 0) throw new InvalidRequest("messages must not be empty", "messages")
  checkParts(messages)
  return messages.map((message, index) => readMessage(`messages[${index}]`, message))
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

function readMessage(path: string, value: unknown): ChatMessage {
  if (!isJsonObject(value)) throw invalidField(path, "an object", value)
  const fields = new Fields(value, `${path}.`)
  const role = fields.choice("role", ROLES)
  if (role === undefined) throw new InvalidRequest(`${path}.role is required`, `${path}.role`)
  refuseOldFields(path, fields)
  const toolCalls = readToolCalls(path, fields, role)
  return {
    role,
    content: readContent(`${path}.content`, fields.unchecked("content"), role),
    ...defined({
      toolCalls,
      name: fields.text("name", TEXTS.name),
      toolCallId: fields.text("tool_call_id", TEXTS.id),
    }),
  }
}

function refuseOldFields(path: string, fields: Fields): void {
  for (const name of ["function_call", "audio"]) {
    const value = fields.unchecked(name)
    const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0)
    if (!isEmpty) throw new Unsupported(`${path}.${name} is not supported yet`, `${path}.${name}`)
  }
}

function readToolCalls(path: string, fields: Fields, role: Role): readonly ToolCall[] | undefined {
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
  return {
    id: required(fields, "id", TEXTS.id, path),
    name: required(called, "name", TEXTS.name, `${path}.function`),
    arguments: called.text("arguments", TEXTS.prompt) ?? "{}",
  }
}

/** @throws InvalidRequest if there is no such text */
function required(fields: Fields, name: string, bound: TextBound, path: string): string {
  const text = fields.text(name, bound)
  if (text === undefined) throw new InvalidRequest(`${path}.${name} is required`, `${path}.${name}`)
  return text
}

function readContent(path: string, content: unknown, role: Role): Content {
  if (content === undefined) {
    if (role === "assistant") return ""
    throw new InvalidRequest(`${path} is required for role ${role}`, path)
  }
  if (typeof content === "string") return checkText(path, content, TEXTS.prompt)
  if (!Array.isArray(content)) throw invalidField(path, "a string or an array of parts", content)
  return content.map((part, index) => readPart(`${path}[${index}]`, part))
}

function readPart(path: string, part: unknown): ContentPart {
  if (!isJsonObject(part)) throw invalidField(path, "an object with a type", part)
  const type = part["type"]
  if (type === "text") return readText(path, part, "text")
  if (type === "refusal") return readText(path, part, "refusal")
  if (typeof type !== "string") throw invalidField(`${path}.type`, "a string", type)
  throw new Unsupported(
    `${path} has type ${JSON.stringify(shorten(type, SHOWN.value))}; only text is supported so far`,
    path,
  )
}

function readText(path: string, part: JsonObject, name: string): ContentPart {
  const text = checkText(`${path}.${name}`, part[name], TEXTS.prompt)
  return { type: "text", text }
}
