import type { ChatMessage, Content, ContentPart, MediaPart, ToolCall } from "../../domain/chat"
import { hasMedia, textOf } from "../../domain/content"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { COUNTS, SHOWN, TEXTS, TOOLS } from "../../limits"
import { CallHistory } from "../read/call-history"
import { checkList, checkText, Fields, invalidField, tooMany } from "../read/fields"
import { isJsonObject, type JsonObject } from "../read/body/json-body"
import type { MediaSink } from "../read/media/media-sink"
import { checkNested } from "../read/nested-value"
import { withoutVolatileText } from "./volatile-texts"

const ROLES = ["user", "assistant", "system"] as const

/** Marks a tool's result that is a failure; templates have no other place for that. */
const FAILURE = "Error: "

/**
 * The system prompt and the messages, in the domain's order: results of tools are messages of their own.
 * @throws InvalidRequest; Unsupported for blocks that cannot be shown to a model here
 */
export function readAnthropicMessages(fields: Fields, media: MediaSink): readonly ChatMessage[] {
  const messages = fields.list("messages", COUNTS.messages)
  if (messages === undefined) throw new InvalidRequest("messages is required", "messages")
  if (messages.length === 0) throw new InvalidRequest("messages must not be empty", "messages")
  const budget = new BlockBudget()
  const reading: Reading = { calls: new CallHistory(), budget, media }
  const read = messages.flatMap((message, index) => readMessage(`messages[${index}]`, message, reading))
  const system = readSystem(fields.unchecked("system"), budget)
  return system === "" ? read : [{ role: "system", content: system }, ...read]
}

interface Reading {
  readonly calls: CallHistory
  readonly budget: BlockBudget
  readonly media: MediaSink
}

/** Limits the blocks of all messages together. */
class BlockBudget {
  #blocks = 0

  /** @throws InvalidRequest */
  take(count: number): void {
    this.#blocks += count
    const { maxItems } = COUNTS.contentParts
    if (this.#blocks > maxItems) throw tooMany("messages", maxItems, "blocks in all", this.#blocks)
  }
}

function readSystem(value: unknown, budget: BlockBudget): string {
  if (value === undefined) return ""
  if (typeof value === "string") return withoutVolatileText(checkText("system", value, TEXTS.prompt))
  const blocks = checkList("system", value, COUNTS.contentParts)
  budget.take(blocks.length)
  return blocks
    .map((block, index) => withoutVolatileText(readTextBlock(`system[${index}]`, block)))
    .filter((text) => text !== "")
    .join("\n\n")
}

function readTextBlock(path: string, block: unknown): string {
  if (!isJsonObject(block)) throw invalidField(path, "an object with a type", block)
  if (block["type"] !== "text") throw unsupportedBlock(path, block)
  return checkText(`${path}.text`, block["text"], TEXTS.prompt)
}

function readMessage(path: string, value: unknown, reading: Reading): readonly ChatMessage[] {
  if (!isJsonObject(value)) throw invalidField(path, "an object", value)
  const fields = new Fields(value, `${path}.`)
  const role = fields.choice("role", ROLES)
  if (role === undefined) throw new InvalidRequest(`${path}.role is required`, `${path}.role`)
  const content = fields.unchecked("content")
  if (content === undefined) throw new InvalidRequest(`${path}.content is required`, `${path}.content`)
  if (typeof content === "string")
    return [{ role, content: checkText(`${path}.content`, content, TEXTS.prompt) }]
  const blocks = fields.list("content", COUNTS.contentParts) ?? []
  reading.budget.take(blocks.length)
  const reader = new BlockReader(reading)
  blocks.forEach((block, index) => reader.read(`${path}.content[${index}]`, block, role))
  return reader.messages(role)
}

/** Collects the blocks of one message. */
class BlockReader {
  readonly #reading: Reading
  readonly #parts: ContentPart[] = []
  readonly #toolCalls: ToolCall[] = []
  readonly #results: ChatMessage[] = []
  readonly #thoughts: string[] = []

  constructor(reading: Reading) {
    this.#reading = reading
  }

  read(path: string, block: unknown, role: (typeof ROLES)[number]): void {
    if (!isJsonObject(block)) throw invalidField(path, "an object with a type", block)
    switch (block["type"]) {
      case "text":
        this.#parts.push({ type: "text", text: checkText(`${path}.text`, block["text"], TEXTS.prompt) })
        return
      case "image":
        this.#parts.push(readImage(path, block, this.#reading.media))
        return
      case "thinking":
        // Whoever signed it: models here take any thinking back.
        this.#thoughts.push(checkText(`${path}.thinking`, block["thinking"], TEXTS.prompt))
        return
      case "redacted_thinking":
        // Only the service that wrote it can read it.
        return
      case "tool_use":
        if (role !== "assistant") throw new InvalidRequest(`${path} is for role assistant only`, path)
        return this.#call(path, block)
      case "tool_result":
        if (role !== "user") throw new InvalidRequest(`${path} is for role user only`, path)
        return this.#result(path, block)
      default:
        throw unsupportedBlock(path, block)
    }
  }

  #call(path: string, block: JsonObject): void {
    const fields = new Fields(block, `${path}.`)
    const input = fields.object("input") ?? {}
    checkNested(`${path}.input`, input, TOOLS)
    const call = {
      id: required(path, fields, "id"),
      name: required(path, fields, "name"),
      arguments: JSON.stringify(input),
    }
    this.#reading.calls.add(call)
    this.#toolCalls.push(call)
  }

  #result(path: string, block: JsonObject): void {
    const fields = new Fields(block, `${path}.`)
    const call = this.#reading.calls.withId(`${path}.tool_use_id`, required(path, fields, "tool_use_id"))
    const content = readResult(`${path}.content`, fields.unchecked("content"), this.#reading)
    const isError = fields.boolean("is_error") ?? false
    this.#results.push({
      role: "tool",
      name: call.name,
      toolCallId: call.id,
      content: isError ? failure(content) : content,
    })
  }

  /** Results come first: they belong to the message before. */
  messages(role: (typeof ROLES)[number]): readonly ChatMessage[] {
    const isOnlyResults = this.#results.length > 0 && this.#parts.length === 0
    if (isOnlyResults) return this.#results
    return [
      ...this.#results,
      {
        role,
        content: this.#parts,
        ...(this.#thoughts.length > 0 && { reasoning: this.#thoughts.join("\n") }),
        ...(this.#toolCalls.length > 0 && { toolCalls: this.#toolCalls }),
      },
    ]
  }
}

function readResult(path: string, content: unknown, { budget, media }: Reading): Content {
  if (content === undefined) return ""
  if (typeof content === "string") return checkText(path, content, TEXTS.prompt)
  const blocks = checkList(path, content, COUNTS.contentParts)
  budget.take(blocks.length)
  const parts = blocks.map((block, index): ContentPart => {
    const place = `${path}[${index}]`
    if (isJsonObject(block) && block["type"] === "image") return readImage(place, block, media)
    return { type: "text", text: readTextBlock(place, block) }
  })
  return hasMedia(parts) ? parts : textOf(parts)
}

function failure(content: Content): Content {
  return typeof content === "string"
    ? FAILURE + content
    : [{ type: "text", text: FAILURE.trim() }, ...content]
}

function readImage(path: string, block: JsonObject, media: MediaSink): MediaPart {
  const place = `${path}.source`
  const source = new Fields(new Fields(block, `${path}.`).object("source") ?? {}, `${place}.`)
  switch (source.choice("type", ["base64", "url"] as const)) {
    case "base64":
      return media.picture(`${place}.data`, source.unchecked("data"))
    case "url":
      return media.picture(`${place}.url`, source.unchecked("url"))
    default:
      throw new InvalidRequest(`${place}.type is required`, `${place}.type`)
  }
}

/** @throws InvalidRequest if there is no such text */
function required(path: string, fields: Fields, name: string): string {
  const text = fields.text(name, TEXTS.id)
  if (text === undefined) throw new InvalidRequest(`${path}.${name} is required`, `${path}.${name}`)
  return text
}

function unsupportedBlock(path: string, block: JsonObject): InvalidRequest | Unsupported {
  const type = block["type"]
  if (typeof type !== "string") return new InvalidRequest(`${path}.type is required`, `${path}.type`)
  return new Unsupported(
    `${path} has type ${JSON.stringify(shorten(type, SHOWN.value))}, which models here cannot read`,
    path,
  )
}
