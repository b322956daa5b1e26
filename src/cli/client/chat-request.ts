import type { ChatMessage, ChatRequest } from "../../domain/chat"
import type { AnswerOptions } from "../args/parameters"

/** The request for one answer, with the options that the user set. */
export function toChatRequest(
  model: string,
  messages: readonly ChatMessage[],
  options: AnswerOptions,
): ChatRequest {
  return {
    kind: "chat",
    model,
    messages,
    n: 1,
    ...options,
    cachePrompt: true,
    returnProgress: false,
    templateArguments: {},
    addGenerationPrompt: true,
    continueFinalMessage: false,
  }
}
