import type { TimingsBody } from "../../http/render/timings"
import type { UsageBody } from "../../http/openai/usage"
import type { ChatLogprobs } from "../../http/openai/logprobs"
import type { ToolCall } from "../../domain/chat"

/** A conversation in the list. Its messages are stored beside it. */
export interface StoredConversation {
  readonly id: string
  /** Empty: it has none yet. */
  readonly title: string
  readonly createdAt: number
  readonly updatedAt: number
  readonly settings: ChatSettings
  /** The message at whose end one is; undefined: none. */
  readonly leaf: string | undefined
}

/** How a conversation is continued. What is absent is as the model or the server has it. */
export interface ChatSettings {
  readonly model?: string
  readonly system?: string
  readonly parameters: ChatParameters
  /** A JSON schema that answers follow, as it was typed. */
  readonly schema?: string
  readonly reasoningEffort?: string
  readonly wantsLogprobs?: boolean
  /** By the names of the page's own. */
  readonly builtInTools?: readonly string[]
  /** The user's, as they were typed: JSON. */
  readonly tools?: string
}

/** Parameters of requests, by their names there. */
export type ChatParameters = Readonly<Record<string, number | string | readonly string[]>>

/** A message of a conversation. Messages with the same parent are its versions. */
export interface Message {
  readonly id: string
  readonly conversation: string
  readonly parent: string | undefined
  readonly role: "user" | "assistant" | "tool"
  readonly text: string
  readonly createdAt: number
  readonly attachments?: readonly Attachment[]
  readonly answer?: AnswerFacts
  /** Of a tool's result. */
  readonly toolCallId?: string
}

/** A file with a message. An image's content is a data URL; a text's is part of the prompt. */
export interface Attachment {
  readonly id: string
  readonly name: string
  readonly kind: "image" | "text"
  readonly content: string
}

/** What there is to know about an answer besides its text. */
export interface AnswerFacts {
  readonly model: string
  readonly thinking?: string
  readonly thinkingMs?: number
  readonly toolCalls?: readonly ToolCall[]
  /** Why it ended; absent: it has not, or the page was closed. */
  readonly end?: "stop" | "length" | "tool_calls" | "stopped" | "failed"
  readonly error?: { readonly code: string; readonly message: string }
  readonly warnings?: readonly string[]
  readonly usage?: UsageBody
  readonly timings?: TimingsBody
  /** From the request to the first token. */
  readonly firstTokenMs?: number
  readonly logprobs?: ChatLogprobs["content"]
}
