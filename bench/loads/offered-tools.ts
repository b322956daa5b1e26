import {
  timeToFirstToken,
  type Endpoint,
  type SentPrompt,
  type OfferedTool,
} from "../../src/measure/http/completion"
import { complete } from "../completion"
import type { Load } from "../load"

const TOKENS = 160
const TOOLS = 16

/** What it costs that an answer could call tools, if it does not. */
export const offeredTools: Load = {
  name: "tools",
  title: `one stream of ${TOKENS} tokens with ${TOOLS} tools offered, and with their text as a system prompt`,
  metrics: [
    { name: "offered", label: "tokens/s with tools", unit: "tokens/s" },
    { name: "plain", label: "tokens/s without", unit: "tokens/s" },
    { name: "offeredToPlain", label: "with / without", unit: "ratio" },
  ],
  peers: ["default"],
  prepare(text) {
    const tools = Array.from({ length: TOOLS }, (_, index) => toolOf(index))
    // A prompt of about the same length: attention costs as much then.
    const shown = { role: "system", content: tools.map((tool) => JSON.stringify(tool)).join("\n") } as const
    const story = { role: "user", content: `Write a long story about${text.next(4)}.` } as const
    return async (endpoint) => {
      const plain = await rate(endpoint, { kind: "chat", messages: [shown, story] })
      const offered = await rate(endpoint, { kind: "chat", messages: [story], tools })
      return { offered, plain, offeredToPlain: offered / plain }
    }
  },
}

function toolOf(index: number): OfferedTool {
  return {
    type: "function",
    function: {
      name: `look_up_${index}`,
      description: `Looks up entry ${index} of a list.`,
      parameters: {
        type: "object",
        properties: { key: { type: "string" }, count: { type: "integer" } },
        required: ["key"],
      },
    },
  }
}

/** Without the first token, whose time belongs to the prompt. */
async function rate(endpoint: Endpoint, prompt: SentPrompt): Promise<number> {
  const completion = await complete(endpoint, prompt, TOKENS)
  const generationMs = completion.finishedAt - completion.sentAt - timeToFirstToken(completion)
  return ((TOKENS - 1) * 1000) / generationMs
}
