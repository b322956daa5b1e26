import type { GenerationRequest } from "../domain/chat"
import { ContextLengthExceeded } from "../errors/request"

/** What is known of a model that decides how much text it takes. */
export interface TextCapacity {
  /** The longest conversation, in tokens. */
  readonly contextLength: number
  /** Bytes of the longest token; absent: the tokenizer rewrites text first, so that its length tells nothing. */
  readonly longestTokenBytes?: number | undefined
}

/**
 * Refuses what cannot fit, before any work is spent on it: the engine does so where a request arrives, the worker
 * where the model's defaults were added. What passes may still be too long; only its tokens tell.
 * @throws ContextLengthExceeded
 */
export function refuseHopeless(request: GenerationRequest, capacity: TextCapacity): void {
  if (isCut(request)) return
  const isIds = request.kind === "completion" && typeof request.prompt !== "string"
  const ids = isIds ? request.prompt.length : 0
  refuse(ids + leastTokensOfText(request, capacity), capacity, fieldOf(request), !isIds)
}

/**
 * The same for a prompt that is only to be looked at: token ids cost nothing, however many.
 * @throws ContextLengthExceeded
 */
export function refuseHopelessText(request: GenerationRequest, capacity: TextCapacity): void {
  if (isCut(request)) return
  refuse(leastTokensOfText(request, capacity), capacity, fieldOf(request))
}

/** Is the beginning of the prompt left out where it is too long? */
function isCut(request: GenerationRequest): boolean {
  return request.kind === "completion" && request.keepLast !== undefined
}

function fieldOf({ kind }: GenerationRequest): "messages" | "prompt" {
  return kind === "chat" ? "messages" : "prompt"
}

function leastTokensOfText(request: GenerationRequest, capacity: TextCapacity): number {
  if (request.kind === "completion") {
    const { prompt, suffix = "" } = request
    return leastTokensOf((typeof prompt === "string" ? prompt.length : 0) + suffix.length, capacity)
  }
  // Whoever speaks is laid out with something around it.
  const turns = request.messages.filter(({ role }) => role === "user" || role === "assistant").length
  return Math.max(turns, leastTokensOf(chatLength(request.messages), capacity))
}

/**
 * Refuses text that is to be tokenized as it is.
 * @param length in UTF-16 units
 * @throws ContextLengthExceeded
 */
export function refuseLongText(length: number, capacity: TextCapacity, field: "messages" | "prompt"): void {
  refuse(leastTokensOf(length, capacity), capacity, field)
}

function refuse(
  least: number,
  { contextLength }: TextCapacity,
  field: "messages" | "prompt",
  isLowerBound = true,
): void {
  if (least > contextLength) throw new ContextLengthExceeded(least, contextLength, field, isLowerBound)
}

/** A UTF-16 unit is at least one byte of UTF-8, so this is never more than the true number. */
function leastTokensOf(length: number, { longestTokenBytes }: TextCapacity): number {
  return longestTokenBytes === undefined ? 0 : Math.floor(length / longestTokenBytes)
}

/**
 * UTF-16 units of what certainly becomes a part of a chat's prompt. Templates trim texts, and leave out what assistants
 * thought, and some of them system messages; what users say they never do.
 */
function chatLength(messages: readonly { readonly role: string; readonly content: string }[]): number {
  return messages.reduce((sum, { role, content }) => sum + (role === "user" ? content.trim().length : 0), 0)
}
