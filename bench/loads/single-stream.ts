import { BusyCore } from "../busy-core"
import { timeToFirstToken, type Endpoint, type SentPrompt } from "../../src/measure/http/completion"
import { complete } from "../completion"
import type { Load, Metric } from "../load"
import type { Sample } from "../statistics"
import type { RandomText } from "../../src/measure/http/words"

const TOKENS = 160

const METRICS: readonly Metric[] = [
  { name: "tokensPerSecond", label: "tokens/s", unit: "tokens/s" },
  { name: "ttft", label: "TTFT", unit: "ms" },
]

/** A single client. */
export const singleStream: Load = {
  name: "single",
  title: `one stream, ${TOKENS} tokens`,
  metrics: METRICS,
  peers: ["default", "llama-bench"],
  prepare(text) {
    const prompt = story(text)
    return (endpoint) => stream(endpoint, prompt)
  },
}

/** A single client, while an unrelated process keeps a core busy. */
export const contendedStream: Load = {
  name: "contended",
  title: `one stream, ${TOKENS} tokens, while another process keeps one core busy`,
  metrics: METRICS,
  peers: ["default"],
  prepare(text) {
    const prompt = story(text)
    return async (endpoint) => {
      await using _busy = new BusyCore()
      return await stream(endpoint, prompt)
    }
  },
}

function story(text: RandomText): SentPrompt {
  return { kind: "chat", messages: [{ role: "user", content: `Write a long story about${text.next(4)}.` }] }
}

/** The rate excludes the first token, whose time belongs to the prompt, as in llama-bench. */
async function stream(endpoint: Endpoint, prompt: SentPrompt): Promise<Sample> {
  const completion = await complete(endpoint, prompt, TOKENS)
  const ttft = timeToFirstToken(completion)
  const generationMs = completion.finishedAt - completion.sentAt - ttft
  return { tokensPerSecond: ((TOKENS - 1) * 1000) / generationMs, ttft }
}
