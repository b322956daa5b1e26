import type { ChatMessage, ChatRequest, CompletionRequest } from "../../src/domain/chat"

const COMMON = {
  n: 1,
  minTokens: 0,
  stop: [],
  sampling: { temperature: 0 },
  cachePrompt: true,
  returnProgress: false,
} as const

/** A completion, greedy unless `options` override that. */
export function greedy(
  prompt: string | readonly number[],
  options: Partial<CompletionRequest> = {},
): CompletionRequest {
  return { ...COMMON, kind: "completion", prompt, echo: false, ...options }
}

/** A greedy chat; a string is the user's message. */
export function greedyChat(
  messages: string | readonly ChatMessage[],
  options: Partial<ChatRequest> = {},
): ChatRequest {
  return {
    ...COMMON,
    kind: "chat",
    messages: typeof messages === "string" ? [{ role: "user", content: messages }] : messages,
    templateArguments: {},
    addGenerationPrompt: true,
    continueFinalMessage: false,
    ...options,
  }
}

const WORDS = "the cat sat on a mat and then it went out to see what was there in the garden of roses".split(
  " ",
)

/** About `length` characters of words, reproducible for a seed; different seeds differ from the first word on. */
export function prose(seed: number, length: number): string {
  let state = seed
  let text = `${seed}:`
  while (text.length < length) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    text += ` ${WORDS[(state >>> 16) % WORDS.length]}`
  }
  return text.slice(0, length)
}
