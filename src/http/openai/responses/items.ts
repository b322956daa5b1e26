import type { ChatMessage, ContentPart, ToolCall } from "../../../domain/chat"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import { shorten } from "../../../lib/text/shorten"
import { COUNTS, SHOWN, TEXTS } from "../../../limits"
import { CallHistory } from "../../read/call-history"
import { checkList, checkText, Fields, invalidField, tooMany } from "../../read/fields"
import { isJsonObject, type JsonObject } from "../../read/body/json-body"

const ROLES = ["system", "developer", "user", "assistant"] as const

/** The field of a function that stands for a custom tool, which takes one text. */
export const CUSTOM_INPUT = "input"

/**
 * The messages of `instructions` and `input`. Thinking and calls, which are items of their own, join the assistant's
 * message that they belong to.
 * @throws InvalidRequest; Unsupported for items and parts that cannot be shown to a model here
 */
export function readItems(fields: Fields): readonly ChatMessage[] {
  const instructions = fields.text("instructions", TEXTS.prompt) ?? ""
  const input = fields.unchecked("input")
  if (input === undefined) throw new InvalidRequest("input is required", "input")
  const conversation = new Conversation()
  if (instructions !== "") conversation.add({ role: "system", content: instructions })
  if (typeof input === "string")
    conversation.add({ role: "user", content: checkText("input", input, TEXTS.prompt) })
  else {
    const items = checkList("input", input, COUNTS.messages)
    if (items.length === 0) throw new InvalidRequest("input must not be empty", "input")
    items.forEach((item, index) => conversation.read(`input[${index}]`, item))
  }
  return conversation.messages()
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
  #turn: Turn | undefined
  #parts = 0

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
      case "function_call_output":
      case "custom_tool_call_output":
        return this.#readOutput(path, fields)
      case "reasoning":
        return this.#readThought(path, fields)
      default:
        throw new Unsupported(
          `${path} has type ${JSON.stringify(shorten(type, SHOWN.value))}, which models here cannot read`,
          path,
        )
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
    const call = {
      id: required(path, fields, "call_id", TEXTS.id),
      name: required(path, fields, "name", TEXTS.name),
      arguments: text,
    }
    this.#calls.add(call)
    this.#open().calls.push(call)
  }

  #readOutput(path: string, fields: Fields): void {
    const call = this.#calls.withId(`${path}.call_id`, required(path, fields, "call_id", TEXTS.id))
    const content = this.#readContent(`${path}.output`, fields.unchecked("output"))
    this.add({ role: "tool", name: call.name, toolCallId: call.id, content })
  }

  /** The thinking itself, or its summary; what is encrypted only its service can read. */
  #readThought(path: string, fields: Fields): void {
    const own = this.#readContent(`${path}.content`, fields.unchecked("content") ?? [])
    const summary = this.#readContent(`${path}.summary`, fields.unchecked("summary") ?? [])
    const texts = (own.length > 0 ? own : summary).map(({ text }) => text).filter((text) => text !== "")
    if (texts.length > 0) this.#open().thoughts.push(...texts)
  }

  #readContent(path: string, content: unknown): readonly ContentPart[] {
    if (content === undefined) throw new InvalidRequest(`${path} is required`, path)
    if (typeof content === "string") return [{ type: "text", text: checkText(path, content, TEXTS.prompt) }]
    const parts = checkList(path, content, COUNTS.contentParts)
    this.#parts += parts.length
    const { maxItems } = COUNTS.contentParts
    if (this.#parts > maxItems) throw tooMany("input", maxItems, "parts of content in all", this.#parts)
    return parts.map((part, index) => readPart(`${path}[${index}]`, part))
  }

  #open(): Turn {
    return (this.#turn ??= { content: [], calls: [], thoughts: [] })
  }

  #endTurn(): void {
    const turn = this.#turn
    this.#turn = undefined
    if (turn === undefined) return
    const { content, calls, thoughts } = turn
    this.#messages.push({
      role: "assistant",
      content,
      ...(calls.length > 0 && { toolCalls: calls }),
      ...(thoughts.length > 0 && { reasoning: thoughts.join("\n") }),
    })
  }

  messages(): readonly ChatMessage[] {
    this.#endTurn()
    return this.#messages
  }
}

const TEXT_TYPES: readonly unknown[] = ["input_text", "output_text", "text", "reasoning_text", "summary_text"]

function readPart(path: string, part: unknown): ContentPart {
  if (!isJsonObject(part)) throw invalidField(path, "an object with a type", part)
  const { type } = part
  if (TEXT_TYPES.includes(type)) return textPart(`${path}.text`, part["text"])
  if (type === "refusal") return textPart(`${path}.refusal`, part["refusal"])
  throw unsupportedPart(path, part)
}

function textPart(path: string, text: unknown): ContentPart {
  return { type: "text", text: checkText(path, text, TEXTS.prompt) }
}

function unsupportedPart(path: string, { type }: JsonObject): InvalidRequest | Unsupported {
  if (typeof type !== "string") return new InvalidRequest(`${path}.type is required`, `${path}.type`)
  const given = JSON.stringify(shorten(type, SHOWN.value))
  return new Unsupported(`${path} has type ${given}; only text is supported so far`, path)
}

/** @throws InvalidRequest if there is no such text */
function required(path: string, fields: Fields, name: string, bound: { readonly maxLength: number }): string {
  const text = fields.text(name, bound)
  if (text === undefined) throw new InvalidRequest(`${path}.${name} is required`, `${path}.${name}`)
  return text
}
