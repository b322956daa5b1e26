import type { ChatMessage, Role } from "../../domain/chat"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { COUNTS, SHOWN, TEXTS } from "../../limits"
import { checkText, defined, Fields, invalidField, tooMany } from "../read/fields"
import { isJsonObject, type JsonObject } from "../read/json-body"

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const satisfies readonly Role[]

/**
 * Reads the `messages` of a chat request.
 * @throws InvalidRequest, and Unsupported for tool calls and content other than text
 */
export function readMessages(fields: Fields): readonly ChatMessage[] {
  const messages = fields.list("messages", COUNTS.messages)
  if (messages === undefined) throw new InvalidRequest("messages is required", "messages")
  if (messages.length === 0) throw new InvalidRequest("messages must not be empty", "messages")
  checkParts(messages)
  return messages.map((message, index) => readMessage(`messages[${index}]`, message))
}

/** @throws InvalidRequest if all messages together have too many parts */
function checkParts(messages: readonly unknown[]): void {
  let parts = 0
  for (const message of messages) {
    const content = isJsonObject(message) ? message["content"] : undefined
    if (Array.isArray(content)) parts += content.length
  }
  const { maxItems } = COUNTS.contentParts
  if (parts > maxItems) throw tooMany("messages", maxItems, "parts of content in all", parts)
}

function readMessage(path: string, value: unknown): ChatMessage {
  if (!isJsonObject(value)) throw invalidField(path, "an object", value)
  const fields = new Fields(value, `${path}.`)
  const role = fields.choice("role", ROLES)
  if (role === undefined) throw new InvalidRequest(`${path}.role is required`, `${path}.role`)
  refuseCalls(path, fields)
  return {
    role,
    content: readContent(`${path}.content`, fields.unchecked("content"), role),
    ...defined({
      name: fields.text("name", TEXTS.name),
      toolCallId: fields.text("tool_call_id", TEXTS.id),
    }),
  }
}

function refuseCalls(path: string, fields: Fields): void {
  for (const name of ["tool_calls", "function_call", "audio"]) {
    const value = fields.unchecked(name)
    const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0)
    if (!isEmpty) throw new Unsupported(`${path}.${name} is not supported yet`, `${path}.${name}`)
  }
}

function readContent(path: string, content: unknown, role: Role): string {
  if (content === undefined) {
    if (role === "assistant") return ""
    throw new InvalidRequest(`${path} is required for role ${role}`, path)
  }
  if (typeof content === "string") return checkText(path, content, TEXTS.prompt)
  if (!Array.isArray(content)) throw invalidField(path, "a string or an array of parts", content)
  // One line each, like llama-server and vLLM for templates that take plain text.
  return content.map((part, index) => readPart(`${path}[${index}]`, part)).join("\n")
}

function readPart(path: string, part: unknown): string {
  if (!isJsonObject(part)) throw invalidField(path, "an object with a type", part)
  const type = part["type"]
  if (type === "text") return textOf(path, part, "text")
  if (type === "refusal") return textOf(path, part, "refusal")
  if (typeof type !== "string") throw invalidField(`${path}.type`, "a string", type)
  throw new Unsupported(
    `${path} has type ${JSON.stringify(shorten(type, SHOWN.value))}; only text is supported so far`,
    path,
  )
}

function textOf(path: string, part: JsonObject, name: string): string {
  return checkText(`${path}.${name}`, part[name], TEXTS.prompt)
}
