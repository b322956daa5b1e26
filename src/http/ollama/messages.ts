import type { ChatMessage, ToolCall } from "../../domain/chat"
import { contentOf } from "../../domain/content"
import type { Tool } from "../../domain/tools"
import { InvalidRequest } from "../../errors/request"
import { COUNTS, TEXTS, TOOLS } from "../../limits"
import { CallHistory } from "../read/call-history"
import { defined, Fields, invalidField } from "../read/fields"
import { isJsonObject } from "../read/body/json-body"
import type { MediaSink } from "../read/media/media-sink"
import { checkNested } from "../read/nested-value"
import { checkTools, readFunction } from "../read/tools"
import { readImages } from "./images"

const ROLES = ["system", "user", "assistant", "tool"] as const

type ReadRole = (typeof ROLES)[number]

/** The messages of a chat; none where the field is absent. @throws InvalidRequest, Unsupported */
export function readOllamaMessages(fields: Fields, media: MediaSink): readonly ChatMessage[] {
  const messages = fields.list("messages", COUNTS.messages) ?? []
  const calls = new CallHistory()
  return messages.map((message, index) => readMessage(`messages[${index}]`, message, { calls, media }))
}

interface Reading {
  readonly calls: CallHistory
  readonly media: MediaSink
}

function readMessage(path: string, value: unknown, { calls, media }: Reading): ChatMessage {
  if (!isJsonObject(value)) throw invalidField(path, "an object", value)
  const fields = new Fields(value, `${path}.`)
  const role = readRole(path, fields)
  const images = readImages(fields, `${path}.`, media)
  const toolCalls = role === "assistant" ? readCalls(path, fields, calls) : undefined
  return {
    role,
    content: contentOf(images, fields.text("content", TEXTS.prompt) ?? ""),
    ...defined({
      toolCalls,
      reasoning: (role === "assistant" && fields.text("thinking", TEXTS.prompt)) || undefined,
    }),
    ...(role === "tool" && answeredCall(path, fields, calls)),
  }
}

/** In any case. */
function readRole(path: string, fields: Fields): ReadRole {
  const given = fields.text("role", TEXTS.word)
  if (given === undefined) throw new InvalidRequest(`${path}.role is required`, `${path}.role`)
  const role = ROLES.find((known) => known === given.toLowerCase())
  if (role !== undefined) return role
  throw invalidField(`${path}.role`, `one of ${ROLES.join(", ")}`, given)
}

function readCalls(path: string, fields: Fields, calls: CallHistory): readonly ToolCall[] | undefined {
  const given = fields.list("tool_calls", COUNTS.contentParts) ?? []
  if (given.length === 0) return undefined
  return given.map((value, index) => {
    const call = readCall(`${path}.tool_calls[${index}]`, value, calls)
    calls.add(call)
    return call
  })
}

/** Ollama's calls have their arguments as an object, and often no id. */
function readCall(path: string, value: unknown, calls: CallHistory): ToolCall {
  if (!isJsonObject(value)) throw invalidField(path, "an object", value)
  const fields = new Fields(value, `${path}.`)
  const called = new Fields(fields.object("function") ?? {}, `${path}.function.`)
  const name = called.text("name", TEXTS.name)
  if (name === undefined)
    throw new InvalidRequest(`${path}.function.name is required`, `${path}.function.name`)
  const given = called.unchecked("arguments") ?? {}
  if (typeof given !== "string") checkNested(`${path}.function.arguments`, given, TOOLS)
  return {
    id: fields.text("id", TEXTS.id) || calls.newId(),
    name,
    arguments: typeof given === "string" ? given : JSON.stringify(given),
  }
}

/** By its id, by the function's name, or else the oldest call without a result; clients send any of these. */
function answeredCall(
  path: string,
  fields: Fields,
  calls: CallHistory,
): Pick<ChatMessage, "toolCallId" | "name"> {
  const id = fields.text("tool_call_id", TEXTS.id) || undefined
  const name = fields.text("tool_name", TEXTS.name) || undefined
  const call =
    id === undefined && name !== undefined
      ? calls.named(`${path}.tool_name`, name)
      : calls.withId(`${path}.tool_call_id`, id)
  return { toolCallId: call.id, name: call.name }
}

/** @throws InvalidRequest, Unsupported */
export function readOllamaTools(fields: Fields): readonly Tool[] {
  const given = fields.list("tools", TOOLS) ?? []
  const tools = given.map((tool, index) => {
    const path = `tools[${index}]`
    if (!isJsonObject(tool)) throw invalidField(path, "an object", tool)
    return readFunction(`${path}.function`, tool["function"] ?? undefined)
  })
  checkTools("tools", tools, (index) => `tools[${index}].function`)
  return tools
}
