import type { ChatMessage } from "../domain/chat"
import type { TemplateCaps } from "./template-caps"

/** A message as passed to templates. */
export interface TemplateMessage {
  readonly role: string
  readonly content: string | readonly { readonly type: "text"; readonly text: string }[]
  readonly name?: string
  readonly tool_call_id?: string
}

/** Separates two texts merged into one message. */
const PARAGRAPH = "\n\n"

/** Converts the conversation to the content and roles that the template supports. */
export function toTemplateMessages(messages: readonly ChatMessage[], caps: TemplateCaps): TemplateMessage[] {
  const known = caps.supportsDeveloperRole ? messages : messages.map(developerToSystem)
  const shown = caps.supportsSystemRole ? known : withoutSystem(known)
  return shown.map((message) => toTemplateMessage(message, caps))
}

function developerToSystem(message: ChatMessage): ChatMessage {
  return message.role === "developer" ? { ...message, role: "system" } : message
}

/** Merges system messages into the first user message. */
function withoutSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const system = messages.filter(({ role }) => role === "system")
  const others = messages.filter(({ role }) => role !== "system")
  if (system.length === 0) return others
  const instructions = system.map(({ content }) => content).join(PARAGRAPH)
  const [first, ...rest] = others
  if (first?.role !== "user") return [{ role: "user", content: instructions }, ...others]
  return [{ ...first, content: instructions + PARAGRAPH + first.content }, ...rest]
}

function toTemplateMessage(message: ChatMessage, caps: TemplateCaps): TemplateMessage {
  const { role, content, name, toolCallId } = message
  return {
    role,
    content: caps.content === "text" ? content : [{ type: "text", text: content }],
    ...(name !== undefined && { name }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
  }
}
