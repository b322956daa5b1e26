import { uniqueId } from "../lib/unique-id"
import { type MessageMap, pathTo } from "./tree"
import type { StoredConversation, Message } from "./types"

/** What a file of conversations says that it is. */
const FORMAT = "xllm-conversations-1"

export function toExport(conversations: readonly StoredConversation[], messages: readonly Message[]): string {
  return JSON.stringify({ format: FORMAT, conversations, messages }, null, 1)
}

/** The branch that one sees, as a text. */
export function toMarkdown(conversation: StoredConversation, messages: MessageMap): string {
  const parts = pathTo(messages, conversation.leaf).flatMap((message) => {
    if (message.role === "tool") return [`**Tool result**\n\n\`\`\`\n${message.text}\n\`\`\``]
    const name = message.role === "user" ? "User" : (message.answer?.model ?? "Assistant")
    const files = (message.attachments ?? []).map((file) => `*${file.name}*\n\n`).join("")
    return [`**${name}**\n\n${files}${message.text}`]
  })
  return `# ${conversation.title || "Conversation"}\n\n${parts.join("\n\n---\n\n")}\n`
}

/** Thrown for a file that is no export of conversations. */
export class NotAnExport extends Error {}

/**
 * Reads an export. Everything gets a new id, so that what is there already stays as it is.
 * @throws NotAnExport
 */
export function fromExport(text: string): {
  readonly conversations: readonly StoredConversation[]
  readonly messages: readonly Message[]
} {
  const value = parsed(text)
  if (!isRecord(value) || value["format"] !== FORMAT) throw new NotAnExport()
  const ids = new Map<string, string>()
  const renewed = (id: string) => {
    const known = ids.get(id) ?? uniqueId()
    ids.set(id, known)
    return known
  }
  const conversations = listIn(value, "conversations").map((each) => readConversation(each, renewed))
  const known = new Set(conversations.map(({ id }) => id))
  const messages = listIn(value, "messages")
    .map((each) => readMessage(each, renewed))
    .filter(({ conversation }) => known.has(conversation))
  return { conversations, messages }
}

function readConversation(
  value: Record<string, unknown>,
  renewed: (id: string) => string,
): StoredConversation {
  const settings = isRecord(value["settings"]) ? value["settings"] : {}
  const leaf = value["leaf"]
  return {
    id: renewed(textIn(value, "id")),
    title: typeof value["title"] === "string" ? value["title"].slice(0, 1000) : "",
    createdAt: numberIn(value, "createdAt"),
    updatedAt: numberIn(value, "updatedAt"),
    settings: {
      ...(settings as Partial<StoredConversation["settings"]>),
      parameters: isRecord(settings["parameters"])
        ? (settings["parameters"] as StoredConversation["settings"]["parameters"])
        : {},
    },
    leaf: typeof leaf === "string" ? renewed(leaf) : undefined,
  }
}

const ROLES: readonly string[] = ["user", "assistant", "tool"] satisfies readonly Message["role"][]

function readMessage(value: Record<string, unknown>, renewed: (id: string) => string): Message {
  const role = textIn(value, "role")
  if (!ROLES.includes(role)) throw new NotAnExport()
  const { parent, attachments, answer, toolCallId } = value
  return {
    id: renewed(textIn(value, "id")),
    conversation: renewed(textIn(value, "conversation")),
    parent: typeof parent === "string" ? renewed(parent) : undefined,
    role: role as Message["role"],
    text: textIn(value, "text"),
    createdAt: numberIn(value, "createdAt"),
    ...(Array.isArray(attachments) && { attachments: attachments.filter(isAttachment) }),
    ...(isRecord(answer) && typeof answer["model"] === "string" && { answer: answer as unknown as Answer }),
    ...(typeof toolCallId === "string" && { toolCallId }),
  }
}

type Answer = NonNullable<Message["answer"]>

function isAttachment(value: unknown): value is NonNullable<Message["attachments"]>[number] {
  if (!isRecord(value)) return false
  const isText = (name: string) => typeof value[name] === "string"
  return isText("id") && isText("name") && isText("content") && /^(image|text)$/.test(String(value["kind"]))
}

function listIn(value: Record<string, unknown>, name: string): readonly Record<string, unknown>[] {
  const list = value[name]
  if (!Array.isArray(list) || !list.every(isRecord)) throw new NotAnExport()
  return list
}

function textIn(value: Record<string, unknown>, name: string): string {
  const text = value[name]
  if (typeof text !== "string") throw new NotAnExport()
  return text
}

function numberIn(value: Record<string, unknown>, name: string): number {
  const number = value[name]
  return typeof number === "number" && Number.isFinite(number) ? number : Date.now()
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
