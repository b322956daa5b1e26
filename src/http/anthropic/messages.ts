import type { ChatMessage, ContentPart, ToolCall } from "../../domain/chat"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { COUNTS, SHOWN, TEXTS, TOOLS } from "../../limits"
import { CallHistory } from "../read/call-history"
import { checkList, checkText, Fields, invalidField, tooMany } from "../read/fields"
import { isJsonObject, type JsonObject } from "../read/body/json-body"
import { checkNested } from "../read/nested-value"
import { withoutVolatileText } from "./volatile-texts"

const ROLES = ["user", "assistant", "system"] as const

/** Marks a tool's result that is a failure; templates have no other place for that. */
const FAILURE = "Error: "

/**
 * The system prompt and the messages, in the domain's order: results of tools are messages of their own.
 * @throws InvalidRequest; Unsupported for blocks that cannot be shown to a model here
 */
export function readAnthropicMessages(fields: Fields): readonly ChatMessage[] {
  const messages = fields.list("messages", COUNTS.messages)
  if (messages === undefined) throw new InvalidRequest("messages is required", "messages")
  if (messages.length === 0) throw new InvalidRequest("messages must not be empty", "messages")
  const calls = new CallHistory()
  const budget = new BlockBudget()
  const read = messages.flatMap((message, index) => readMessage(`messages[${index}]`, message, calls, budget))
  const system = readSystem(fields.unchecked("system"), budget)
  return system === "" ? read : [{ role: "system", content: system }, ...read]
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

function readMessage(
  path: string,
  value: unknown,
  calls: CallHistory,
  budget: BlockBudget,
): readonly ChatMessage[] {
  if (!isJsonObject(value)) throw invalidField(path, "an object", value)
  const fields = new Fields(value, `${path}.`)
  const role = fields.choice("role", ROLES)
  if (role === undefined) throw new InvalidRequest(`${path}.role is required`, `${path}.role`)
  const content = fields.unchecked("content")
  if (content === undefined) throw new InvalidRequest(`${path}.content is required`, `${path}.content`)
  if (typeof content === "string")
    return [{ role, content: checkText(`${path}.content`, content, TEXTS.prompt) }]
  const blocks = fields.list("content", COUNTS.contentParts) ?? []
  budget.take(blocks.length)
  const reader = new BlockReader(calls, budget)
  blocks.forEach((block, index) => reader.read(`${path}.content[${index}]`, block, role))
  return reader.messages(role)
}

/** Collects the blocks of one message. */
class BlockReader {
  readonly #calls: CallHistory
  readonly #budget: BlockBudget
  readonly #parts: ContentPart[] = []
  readonly #toolCalls: ToolCall[] = []
  readonly #results: ChatMessage[] = []
  readonly #thoughts: string[] = []

  constructor(calls: CallHistory, budget: BlockBudget) {
    this.#calls = calls
    this.#budget = budget
  }

  read(path: string, block: unknown, role: (typeof ROLES)[number]): void {
    if (!isJsonObject(block)) throw invalidField(path, "an object with a type", block)
    switch (block["type"]) {
      case "text":
        this.#parts.push({ type: "text", text: checkText(`${path}.text`, block["text"], TEXTS.prompt) })
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
    this.#calls.add(call)
    this.#toolCalls.push(call)
  }

  #result(path: string, block: JsonObject): void {
    const fields = new Fields(block, `${path}.`)
    const call = this.#calls.withId(`${path}.tool_use_id`, required(path, fields, "tool_use_id"))
    const text = readResult(`${path}.content`, fields.unchecked("content"), this.#budget)
    const isError = fields.boolean("is_error") ?? false
    this.#results.push({
      role: "tool",
      name: call.name,
      toolCallId: call.id,
      content: isError ? FAILURE + text : text,
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

function readResult(path: string, content: unknown, budget: BlockBudget): string {
  if (content === undefined) return ""
  if (typeof content === "string") return checkText(path, content, TEXTS.prompt)
  const blocks = checkList(path, content, COUNTS.contentParts)
  budget.take(blocks.length)
  return blocks.map((block, index) => readTextBlock(`${path}[${index}]`, block)).join("\n")
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
