import type { ChatSettings, Message } from "../conversations/types"
import { builtInTools, definitionsOf } from "./tools"

/** The body of a request that answers the last of these messages, or continues it. */
export function toRequestBody(
  settings: ChatSettings,
  path: readonly Message[],
  isContinued: boolean,
): object {
  const { system, parameters, schema, reasoningEffort, wantsLogprobs } = settings
  const tools = [...builtInTools(settings.builtInTools ?? []), ...definitionsOf(settings.tools ?? "")]
  return {
    ...parameters,
    model: settings.model,
    messages: [
      ...(system !== undefined && system.trim() !== "" ? [{ role: "system", content: system }] : []),
      ...path.map(toMessageBody),
    ],
    stream: true,
    stream_options: { include_usage: true },
    return_progress: true,
    ...(tools.length > 0 && !isContinued && { tools }),
    ...(reasoningEffort !== undefined && { reasoning_effort: reasoningEffort }),
    ...(wantsLogprobs === true && { logprobs: true, top_logprobs: 5 }),
    ...(schema !== undefined && schema.trim() !== "" && !isContinued && responseFormat(schema)),
    ...(isContinued && { continue_final_message: true, add_generation_prompt: false }),
  }
}

function toMessageBody({ role, text, attachments = [], answer, toolCallId }: Message): object {
  if (role === "tool") return { role, tool_call_id: toolCallId, content: text }
  if (role === "assistant") {
    const calls = answer?.toolCalls ?? []
    return {
      role,
      content: text,
      ...(calls.length > 0 && {
        tool_calls: calls.map(({ id, name, arguments: json }) => ({
          id,
          type: "function",
          function: { name, arguments: json },
        })),
      }),
    }
  }
  const files = attachments.filter(({ kind }) => kind === "text")
  const images = attachments.filter(({ kind }) => kind === "image")
  const content = [...files.map(({ name, content }) => fenced(name, content)), text].join("\n\n").trim()
  if (images.length === 0) return { role, content }
  return {
    role,
    content: [
      ...images.map(({ content: url }) => ({ type: "image_url", image_url: { url } })),
      { type: "text", text: content },
    ],
  }
}

/** A file as a part of a prompt; the fence is longer than any in the file. */
function fenced(name: string, text: string): string {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([marks]) => marks.length))
  const fence = "`".repeat(longest + 1)
  return `${name}:\n${fence}\n${text}\n${fence}`
}

function responseFormat(schema: string): object {
  const value: unknown = JSON.parse(schema)
  return { response_format: { type: "json_schema", json_schema: { name: "answer", schema: value } } }
}
