import type { GenerationRequest } from "../domain"
import { ContextLengthExceeded } from "../errors"

/** What is known of a model that decides how much text it takes. */
export interface TextCapacity {
  /** The longest conversation, in tokens. */
  readonly contextLength: number
  /** Bytes of the longest token; absent: the tokenizer rewrites text first, so that its length tells nothing. */
  readonly longestTokenBytes?: number | undefined
}

/** Characters that are looked at in one go. */
const PIECE_LENGTH = 64 * 1024

/**
 * Refuses what cannot fit, before any work is spent on it: the engine does so where a request arrives, the worker
 * where another model's defaults were added. What passes may still be too long; only its tokens tell.
 * @throws ContextLengthExceeded
 */
export function refuseHopeless(request: GenerationRequest, capacity: TextCapacity): void {
  const { contextLength } = capacity
  const least = leastTokens(request, capacity)
  if (least <= contextLength) return
  const field = request.kind === "chat" ? "messages" : "prompt"
  const isExact = request.kind === "completion" && typeof request.prompt !== "string"
  throw new ContextLengthExceeded(least, contextLength, field, !isExact)
}

/** A number of tokens that the request has at the least. It need not be the largest such number. */
function leastTokens(request: GenerationRequest, { contextLength, longestTokenBytes }: TextCapacity): number {
  if (request.kind === "chat") {
    // Whoever speaks is laid out with something around it.
    const turns = request.messages.filter(({ role }) => role === "user" || role === "assistant").length
    return Math.max(turns, leastTokensOf(textsOf(request), contextLength, longestTokenBytes))
  }
  const ids = typeof request.prompt === "string" ? 0 : request.prompt.length
  return ids + leastTokensOf(textsOf(request), contextLength - ids, longestTokenBytes)
}

/** Of texts; where there are more than `most`, not all of them are counted. */
function leastTokensOf(
  texts: readonly string[],
  most: number,
  longestTokenBytes: number | undefined,
): number {
  if (longestTokenBytes === undefined) return 0
  // A UTF-16 unit is at least one byte of UTF-8.
  return Math.floor(visibleLength(texts, (most + 1) * longestTokenBytes) / longestTokenBytes)
}

/** Texts that certainly become a part of the prompt. */
function textsOf(request: GenerationRequest): readonly string[] {
  if (request.kind === "completion") {
    const { prompt, suffix = "" } = request
    return typeof prompt === "string" ? [prompt, suffix] : [suffix]
  }
  // Templates leave out what assistants thought, some of them system messages; what users say they never do.
  return request.messages.flatMap(({ role, content }) => (role === "user" ? [content] : []))
}

/**
 * How many UTF-16 units the texts have without white space, which templates trim and some tokens swallow; counted as
 * far as `enough`.
 */
function visibleLength(texts: readonly string[], enough: number): number {
  const all = texts.reduce((sum, { length }) => sum + length, 0)
  // The usual case costs nothing.
  if (all < enough) return 0
  let visible = 0
  for (const text of texts) {
    for (let start = 0; start < text.length && visible < enough; start += PIECE_LENGTH) {
      visible += text.slice(start, start + PIECE_LENGTH).replace(/\s+/g, "").length
    }
  }
  return visible
}
