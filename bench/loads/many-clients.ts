import {
  timeToFirstToken,
  type Completion,
  type Endpoint,
  type SentPrompt,
} from "../../src/measure/http/completion"
import { complete } from "../completion"
import type { Load, Metric } from "../load"
import { percentile } from "../../src/measure/statistics"
import { type Sample } from "../statistics"

const CLIENTS = 16
const TOKENS = 48
const SYSTEM_TOKENS = 345
const UNRELATED_TOKENS = 150

const METRICS: readonly Metric[] = [
  { name: "tokensPerSecond", label: "tokens/s in total", unit: "tokens/s" },
  { name: "ttftP50", label: "TTFT p50", unit: "ms" },
  { name: "ttftP95", label: "TTFT p95", unit: "ms" },
  { name: "longestGap", label: "longest gap", unit: "ms" },
]

/** Many clients of one application: the same system prompt with different questions. */
export const sharedPrompt: Load = {
  name: "shared",
  title: `${CLIENTS} clients, shared ${SYSTEM_TOKENS}-token system prompt, ${TOKENS} tokens each`,
  metrics: METRICS,
  peers: ["default", "np16"],
  prepare(text) {
    const system = text.next(SYSTEM_TOKENS)
    const prompts = Array.from({ length: CLIENTS }, (): SentPrompt => ({
      kind: "chat",
      messages: [
        { role: "system", content: system },
        { role: "user", content: `What do you think about${text.next(6)}?` },
      ],
    }))
    return (endpoint) => allAtOnce(endpoint, prompts)
  },
}

/** Many clients with nothing in common, not even the start of a template. */
export const unrelatedPrompts: Load = {
  name: "unrelated",
  title: `${CLIENTS} clients, unrelated ${UNRELATED_TOKENS}-token prompts, ${TOKENS} tokens each`,
  metrics: METRICS,
  peers: ["default", "np16"],
  prepare(text) {
    const prompts = Array.from({ length: CLIENTS }, (): SentPrompt => ({
      kind: "text",
      text: text.next(UNRELATED_TOKENS),
    }))
    return (endpoint) => allAtOnce(endpoint, prompts)
  },
}

async function allAtOnce(endpoint: Endpoint, prompts: readonly SentPrompt[]): Promise<Sample> {
  const completions = await Promise.all(prompts.map((prompt) => complete(endpoint, prompt, TOKENS)))
  const firstTokens = completions.map(timeToFirstToken)
  const began = Math.min(...completions.map((completion) => completion.sentAt))
  const ended = Math.max(...completions.map((completion) => completion.finishedAt))
  return {
    tokensPerSecond: (prompts.length * TOKENS * 1000) / (ended - began),
    ttftP50: percentile(firstTokens, 0.5),
    ttftP95: percentile(firstTokens, 0.95),
    longestGap: Math.max(...completions.map(longestGap)),
  }
}

/** The longest gap in a stream after its first text, in milliseconds. */
function longestGap({ textAt }: Completion): number {
  return Math.max(0, ...textAt.slice(1).map((at, i) => at - (textAt[i] ?? at)))
}
