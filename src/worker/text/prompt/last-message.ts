import type { ChatMessage } from "../../../domain/chat"
import { textOf } from "../../../domain/content"

/** The tokens of a prompt, and the text that they make up. */
interface TokenizedText {
  readonly text: string
  readonly tokens: ArrayLike<number>
  readonly bytesOf: (token: number) => number
}

/**
 * Where the text of the last message that is not the assistant's starts and ends, in tokens: at that place or up to a
 * token before it, where the tokenizer changes spaces a little more. Empty where the template has changed the text.
 */
export function lastMessageCells(
  messages: readonly ChatMessage[],
  { text, tokens, bytesOf }: TokenizedText,
): readonly number[] {
  const last = messages.findLast(({ role }) => role !== "assistant")
  const content = last && textOf(last.content).trim()
  const start = content ? text.lastIndexOf(content) : -1
  if (content === undefined || start === -1) return []
  // From the end: a long conversation before it is not walked through.
  let [at, bytes] = [tokens.length, 0]
  const before = (rest: string): number => {
    const wanted = Buffer.byteLength(rest)
    while (at > 0 && bytes < wanted) bytes += bytesOf(tokens[--at] ?? 0)
    return at
  }
  const end = before(text.slice(start + content.length))
  return [before(text.slice(start)), end]
}
