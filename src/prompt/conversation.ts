import type { ChatMessage } from "../domain/chat"
import { textOf } from "../domain/content"
import type { Insertions } from "./insertions"
import { parseToolArguments } from "./tool-arguments"
import type { LearnedTools } from "./tools/learn/tools"
import { type WrittenCall, writeCalls } from "./tools/write-calls"

/** How a conversation is changed for a template that does not show tools, calls or results. */
export interface Adaptation {
  readonly tools: LearnedTools
  readonly insertions: Insertions
  /** What the system prompt must say about the tools; absent: nothing. */
  readonly offer?: string
  /** Escapes control tokens in texts and plain data. */
  readonly escape: (value: unknown) => unknown
}

/** Puts into the texts of messages what the template would leave out. */
export function adaptConversation(
  messages: readonly ChatMessage[],
  adaptation: Adaptation,
): readonly ChatMessage[] {
  const { tools, insertions, offer } = adaptation
  const withCalls = tools.showsCalls ? messages : messages.map((message) => callsAsText(message, adaptation))
  const withResults = tools.showsResults ? withCalls : resultsAsUser(withCalls)
  return offer === undefined ? withResults : withSystemText(withResults, insertions.add(offer))
}

function callsAsText(message: ChatMessage, { tools, insertions, escape }: Adaptation): ChatMessage {
  const { toolCalls, ...rest } = message
  if (toolCalls === undefined) return message
  const calls = toolCalls.map(({ id, name, arguments: text }): WrittenCall => ({
    id: String(escape(id)),
    name: String(escape(name)),
    arguments: escape(parseToolArguments(text)),
  }))
  const written = insertions.add(writeCalls(tools.syntax, calls))
  const said = textOf(message.content)
  return { ...rest, content: said === "" ? written : `${said}\n${written}` }
}

/** As messages of the user, who must not speak twice in a row. */
function resultsAsUser(messages: readonly ChatMessage[]): ChatMessage[] {
  const result: ChatMessage[] = []
  let isAfterResult = false
  for (const message of messages) {
    const isResult = message.role === "tool"
    const text = textOf(message.content)
    const content = isResult ? `<tool_response>\n${text}\n</tool_response>` : message.content
    const last = result.at(-1)
    const joins: boolean = isResult || (isAfterResult && message.role === "user")
    if (joins && last?.role === "user")
      result[result.length - 1] = { ...last, content: `${textOf(last.content)}\n${textOf(content)}` }
    else result.push(isResult ? { role: "user", content } : message)
    isAfterResult = joins
  }
  return result
}

function withSystemText(messages: readonly ChatMessage[], text: string): ChatMessage[] {
  const [first, ...others] = messages
  if (first === undefined || (first.role !== "system" && first.role !== "developer"))
    return [{ role: "system", content: text }, ...messages]
  return [{ ...first, content: `${textOf(first.content)}\n\n${text}` }, ...others]
}
