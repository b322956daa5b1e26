import type { ChatMessage, GenerationRequest } from "../domain/chat"
import { textOf } from "../domain/content"
import { ContextLengthExceeded } from "../errors/request"

/** The properties of a model that determine how much text fits. */
export interface TextCapacity {
  /** The maximum length of a conversation, in tokens. */
  readonly contextLength: number
  /**
   * Bytes of the longest token; absent if the tokenizer normalizes text first, since its length then says
   * nothing.
   */
  readonly longestTokenBytes?: number | undefined
}

/**
 * Rejects requests that cannot fit before work is spent on them: in the engine when a request arrives, in the
 * worker after the model's defaults are added. Those that pass may still be too long; only tokenizing shows
 * it.
 * @throws ContextLengthExceeded
 */
export function refuseHopeless(request: GenerationRequest, capacity: TextCapacity): void {
  if (isCut(request)) return
  const isIds = request.kind === "completion" && typeof request.prompt !== "string"
  const ids = isIds ? request.prompt.length : 0
  refuse(ids + leastTokensOfText(request, capacity), capacity, fieldOf(request), !isIds)
}

/**
 * The same for a prompt that is only rendered: token ids cost nothing, however many.
 * @throws ContextLengthExceeded
 */
export function refuseHopelessText(request: GenerationRequest, capacity: TextCapacity): void {
  if (isCut(request)) return
  refuse(leastTokensOfText(request, capacity), capacity, fieldOf(request))
}

/** Is a part of the prompt dropped if it is too long? */
function isCut(request: GenerationRequest): boolean {
  return request.kind === "completion" && (request.keepLast !== undefined || request.cutsToFit === true)
}

function fieldOf({ kind }: GenerationRequest): "messages" | "prompt" {
  return kind === "chat" ? "messages" : "prompt"
}

function leastTokensOfText(request: GenerationRequest, capacity: TextCapacity): number {
  if (request.kind === "completion") {
    const { prompt, suffix = "" } = request
    return leastTokensOf((typeof prompt === "string" ? prompt.length : 0) + suffix.length, capacity)
  }
  // A template adds at least one token around each message of a user or assistant.
  const turns = request.messages.filter(({ role }) => role === "user" || role === "assistant").length
  return Math.max(turns, leastTokensOf(chatLength(request.messages), capacity))
}

/**
 * Rejects text that is tokenized unchanged.
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

/** A UTF-16 unit is at least one byte of UTF-8, so this never exceeds the true number. */
function leastTokensOf(length: number, { longestTokenBytes }: TextCapacity): number {
  return longestTokenBytes === undefined ? 0 : Math.floor(length / longestTokenBytes)
}

/**
 * Lower bound of a chat's text in its prompt, in UTF-16 units. Templates trim texts and drop the reasoning of
 * assistants, and some drop system messages; none drops what users write.
 */
function chatLength(messages: readonly ChatMessage[]): number {
  return messages.reduce(
    (sum, { role, content }) => sum + (role === "user" ? textOf(content).trim().length : 0),
    0,
  )
}
