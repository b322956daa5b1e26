import type { ChatMessage, ContentPart, ToolCall } from "../../../domain/chat"
import { textOf } from "../../../domain/content"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import { shorten } from "../../../lib/text/shorten"
import { COUNTS, SHOWN, TEXTS, TOOLS } from "../../../limits"
import { CallHistory } from "../../read/call-history"
import { checkList, checkText, Fields, invalidField, tooMany } from "../../read/fields"
import { isJsonObject, type JsonObject } from "../../read/body/json-body"
import { type MediaSink, TEXT_ONLY } from "../../read/media/media-sink"
import { fromOpaque } from "./reasoning-text"
import { readPicturePart } from "../content-parts"
import { CUSTOM_INPUT, LOCAL_SHELL, nameForModel } from "./tool-forms"

const ROLES = ["system", "developer", "user", "assistant"] as const

/** Items with the place that messages name. */
export interface ItemList {
  readonly path: string
  readonly items: readonly unknown[]
}

export interface ReadItems {
  readonly messages: readonly ChatMessage[]
  /** Tools that items bring along. */
  readonly tools: readonly unknown[]
  /** Types of items that say nothing to models here; they were left out. */
  readonly leftOut: readonly string[]
}

/**
 * The messages of `instructions`, the conversation before, and the request's own items. Thinking and calls, which are
 * items of their own, join the assistant's message that they belong to.
 * @throws InvalidRequest; Unsupported for parts that cannot be shown to a model here
 */
export function readItems(fields: Fields, lists: readonly ItemList[], media: MediaSink): ReadItems {
  const instructions = fields.text("instructions", TEXTS.prompt) ?? ""
  const count = lists.reduce((sum, { items }) => sum + items.length, 0)
  const { maxItems } = COUNTS.messages
  if (count > maxItems)
    throw tooMany("input", maxItems, "items, with those of the conversation before", count)
  const conversation = new Conversation(media)
  if (instructions !== "") conversation.add({ role: "system", content: instructions })
  for (const { path, items } of lists)
    items.forEach((item, index) => conversation.read(`${path}[${index}]`, item))
  return conversation.done()
}

/**
 * `input` as a list of items.
 * @throws InvalidRequest
 */
export function inputItems(input: unknown): readonly unknown[] {
  if (input === undefined || input === null) throw new InvalidRequest("input is required", "input")
  if (typeof input === "string")
    return [{ type: "message", role: "user", content: checkText("input", input, TEXTS.prompt) }]
  const items = checkList("input", input, COUNTS.messages)
  if (items.length === 0) throw new InvalidRequest("input must not be empty", "input")
  return items
}

/** An assistant's message that may still get more parts. */
interface Turn {
  readonly content: ContentPart[]
  readonly calls: ToolCall[]
  readonly thoughts: string[]
}

class Conversation {
  readonly #messages: ChatMessage[] = []
  readonly #calls = new CallHistory()
  readonly #tools: unknown[] = []
  readonly #leftOut: string[] = []
  /** Ids of calls by those of their items, which some clients send in their place. */
  readonly #callIds = new Map<string, string>()
  #turn: Turn | undefined
  #parts = 0
  readonly #media: MediaSink

  constructor(media: MediaSink) {
    this.#media = media
  }

  add(message: ChatMessage): void {
    this.#endTurn()
    this.#messages.push(message)
  }

  read(path: string, item: unknown): void {
    if (!isJsonObject(item)) throw invalidField(path, "an object", item)
    const fields = new Fields(item, `${path}.`)
    const type = fields.text("type", TEXTS.word) ?? "message"
    switch (type) {
      case "message":
        return this.#readMessage(path, fields)
      case "function_call":
        return this.#readCall(path, fields, required(path, fields, "arguments", TEXTS.prompt))
      case "custom_tool_call": {
        const text = required(path, fields, "input", TEXTS.prompt)
        return this.#readCall(path, fields, JSON.stringify({ [CUSTOM_INPUT]: text }))
      }
      case "local_shell_call":
        return this.#readShellCall(path, fields)
      case "function_call_output":
      case "custom_tool_call_output":
      case "local_shell_call_output":
        return this.#readOutput(path, fields)
      case "reasoning":
        return this.#readThought(path, fields)
      case "additional_tools":
        this.#tools.push(...(fields.list("tools", TOOLS) ?? []))
        return
      default:
        // Of tools that only the service has, or of a newer client: the conversation goes on without them.
        this.#leftOut.push(shorten(type, SHOWN.value))
    }
  }

  #readMessage(path: string, fields: Fields): void {
    const role = fields.choice("role", ROLES)
    if (role === undefined) throw new InvalidRequest(`${path}.role is required`, `${path}.role`)
    const content = this.#readContent(`${path}.content`, fields.unchecked("content"))
    if (role === "assistant") this.#open().content.push(...content)
    else this.add({ role, content })
  }

  #readCall(path: string, fields: Fields, text: string): void {
    const name = required(path, fields, "name", TEXTS.name)
    this.#call(path, fields, nameForModel(fields.text("namespace", TEXTS.name), name), text)
  }

  #readShellCall(path: string, fields: Fields): void {
    const { command, working_directory, timeout_ms } = fields.object("action") ?? {}
    this.#call(path, fields, LOCAL_SHELL, JSON.stringify({ command, working_directory, timeout_ms }))
  }

  #call(path: string, fields: Fields, name: string, text: string): void {
    const call = { id: required(path, fields, "call_id", TEXTS.id), name, arguments: text }
    const itemId = fields.text("id", TEXTS.id)
    if (itemId !== undefined) this.#callIds.set(itemId, call.id)
    this.#calls.add(call)
    this.#open().calls.push(call)
  }

  #readOutput(path: string, fields: Fields): void {
    const given = fields.text("call_id", TEXTS.id)
    // Outputs of a shell have the call's id as their own, or that of its item.
    const id = given ?? required(path, fields, "id", TEXTS.id)
    const call = this.#calls.withId(`${path}.call_id`, this.#callIds.get(id) ?? id)
    const content = this.#readContent(`${path}.output`, fields.unchecked("output"))
    this.add({ role: "tool", name: call.name, toolCallId: call.id, content })
  }

  /** The thinking itself, what stands for it, or its summary. */
  #readThought(path: string, fields: Fields): void {
    const own = this.#readContent(`${path}.content`, fields.unchecked("content") ?? [], TEXT_ONLY)
    const opaque = fromOpaque(fields.text("encrypted_content", TEXTS.prompt) ?? "")
    const summary = this.#readContent(`${path}.summary`, fields.unchecked("summary") ?? [], TEXT_ONLY)
    const written = (own.length > 0 ? own : summary).map((part) => textOf([part]))
    const texts = own.length === 0 && opaque !== undefined ? [opaque] : written
    this.#open().thoughts.push(...texts.filter((text) => text !== ""))
  }

  #readContent(path: string, content: unknown, media = this.#media): readonly ContentPart[] {
    if (content === undefined) throw new InvalidRequest(`${path} is required`, path)
    if (typeof content === "string") return [{ type: "text", text: checkText(path, content, TEXTS.prompt) }]
    const parts = checkList(path, content, COUNTS.contentParts)
    this.#parts += parts.length
    const { maxItems } = COUNTS.contentParts
    if (this.#parts > maxItems) throw tooMany("input", maxItems, "parts of content in all", this.#parts)
    return parts.map((part, index) => readPart(`${path}[${index}]`, part, media))
  }

  #open(): Turn {
    return (this.#turn ??= { content: [], calls: [], thoughts: [] })
  }

  #endTurn(): void {
    const turn = this.#turn
    this.#turn = undefined
    if (turn === undefined) return
    const { content, calls, thoughts } = turn
    // Of thinking that only its service can read, nothing is left.
    if (content.length + calls.length + thoughts.length === 0) return
    this.#messages.push({
      role: "assistant",
      content,
      ...(calls.length > 0 && { toolCalls: calls }),
      ...(thoughts.length > 0 && { reasoning: thoughts.join("\n") }),
    })
  }

  done(): ReadItems {
    this.#endTurn()
    return { messages: this.#messages, tools: this.#tools, leftOut: this.#leftOut }
  }
}

const TEXT_TYPES: readonly unknown[] = ["input_text", "output_text", "text", "reasoning_text", "summary_text"]

function readPart(path: string, part: unknown, media: MediaSink): ContentPart {
  if (!isJsonObject(part)) throw invalidField(path, "an object with a type", part)
  const { type } = part
  if (TEXT_TYPES.includes(type)) return textPart(`${path}.text`, part["text"])
  if (type === "refusal") return textPart(`${path}.refusal`, part["refusal"])
  if (type === "input_image") return readPicturePart(path, part, media)
  throw unsupportedPart(path, part)
}

function textPart(path: string, text: unknown): ContentPart {
  return { type: "text", text: checkText(path, text, TEXTS.prompt) }
}

function unsupportedPart(path: string, { type }: JsonObject): InvalidRequest | Unsupported {
  if (typeof type !== "string") return new InvalidRequest(`${path}.type is required`, `${path}.type`)
  const given = JSON.stringify(shorten(type, SHOWN.value))
  return new Unsupported(
    `${path} has type ${given}; supported are input_text, output_text and input_image`,
    path,
  )
}

/** @throws InvalidRequest if there is no such text */
function required(path: string, fields: Fields, name: string, bound: { readonly maxLength: number }): string {
  const text = fields.text(name, bound)
  if (text === undefined) throw new InvalidRequest(`${path}.${name} is required`, `${path}.${name}`)
  return text
}
