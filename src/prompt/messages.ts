import type { ChatMessage, ToolCall } from "../domain/chat"
import { textOf } from "../domain/content"
import type { TemplateCaps } from "./template-caps"
import { parseToolArguments } from "./tool-arguments"

/** A message as passed to templates. */
export interface TemplateMessage {
  readonly role: string
  /** `null` for calls without text, see {@link TemplateCaps.callContent}. */
  readonly content: string | readonly { readonly type: "text"; readonly text: string }[] | null
  /** What was thought before the answer, under each of the names that templates use. */
  readonly reasoning_content?: string
  readonly reasoning?: string
  readonly thinking?: string
  readonly name?: string
  readonly tool_calls?: readonly TemplateToolCall[]
  readonly tool_call_id?: string
}

interface TemplateToolCall {
  readonly id: string
  readonly type: "function"
  /** The arguments are JSON text or the parsed value, see {@link TemplateCaps.toolArguments}. */
  readonly function: { readonly name: string; readonly arguments: unknown }
}

interface TextChange {
  readonly text: (text: string) => string
  /** Changes all texts in plain data, keys too. */
  readonly value: (value: unknown) => unknown
}

/** Separates two texts merged into one message. */
const PARAGRAPH = "\n\n"

/** Converts the conversation to the content and roles that the template supports. */
export function toTemplateMessages(messages: readonly ChatMessage[], caps: TemplateCaps): TemplateMessage[] {
  const known = caps.supportsDeveloperRole ? messages : messages.map(developerToSystem)
  const shown = caps.supportsSystemRole ? known : withoutSystem(known)
  return shown.map((message) => toTemplateMessage(message, caps))
}

/** Changes all that the client or the model wrote, as opposed to the words of the format. */
export function mapTemplateMessage(
  { role, content, reasoning_content, name, tool_calls, tool_call_id }: TemplateMessage,
  change: TextChange,
): TemplateMessage {
  return {
    role,
    content:
      typeof content === "string"
        ? change.text(content)
        : (content?.map(({ type, text }) => ({ type, text: change.text(text) })) ?? null),
    ...(reasoning_content !== undefined && thoughtFields(change.text(reasoning_content))),
    ...(name !== undefined && { name: change.text(name) }),
    ...(tool_calls !== undefined && {
      tool_calls: tool_calls.map(({ id, type, function: called }) => ({
        id: change.text(id),
        type,
        function: { name: change.text(called.name), arguments: change.value(called.arguments) },
      })),
    }),
    ...(tool_call_id !== undefined && { tool_call_id: change.text(tool_call_id) }),
  }
}

function developerToSystem(message: ChatMessage): ChatMessage {
  return message.role === "developer" ? { ...message, role: "system" } : message
}

/** Merges system messages into the first user message. */
function withoutSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const system = messages.filter(({ role }) => role === "system")
  const others = messages.filter(({ role }) => role !== "system")
  if (system.length === 0) return others
  const instructions = system.map(({ content }) => textOf(content)).join(PARAGRAPH)
  const [first, ...rest] = others
  if (first?.role !== "user") return [{ role: "user", content: instructions }, ...others]
  return [{ ...first, content: instructions + PARAGRAPH + textOf(first.content) }, ...rest]
}

function toTemplateMessage(message: ChatMessage, caps: TemplateCaps): TemplateMessage {
  const { role, content, reasoning, name, toolCalls, toolCallId } = message
  const text = textOf(content)
  const isNone = toolCalls !== undefined && text === "" && caps.callContent === "none"
  return {
    role,
    content: isNone ? null : caps.content === "text" ? text : [{ type: "text", text }],
    ...(reasoning !== undefined && thoughtFields(reasoning)),
    ...(name !== undefined && { name }),
    ...(toolCalls !== undefined && { tool_calls: toolCalls.map((call) => toTemplateCall(call, caps)) }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
  }
}

function thoughtFields(text: string) {
  return { reasoning_content: text, reasoning: text, thinking: text }
}

function toTemplateCall(
  { id, name, arguments: text }: ToolCall,
  { toolArguments }: TemplateCaps,
): TemplateToolCall {
  const given = toolArguments === "object" ? parseToolArguments(text) : text
  return { id, type: "function", function: { name, arguments: given } }
}
