import type { Endpoint, SentPrompt } from "../../src/measure/http/completion"
import type { RandomText } from "../../src/measure/http/words"
import { complete } from "../completion"
import type { Load } from "../load"
import type { Sample } from "../statistics"

const TOKENS = 96
const PROMPT_TOKENS = 40
const STREAMS = 4

/** As strong as an adapter may be in four sets that differ. */
const SCALES = [1, 0.75, 0.5, 0.25]

/** Streams with adapters; needs `--adapter`, which both servers get as their first one. */
export const adapters: Load = {
  name: "adapters",
  title: `one stream with an adapter, then ${STREAMS} with one set of adapters, and ${STREAMS} with ${STREAMS} sets, ${TOKENS} tokens each`,
  metrics: [
    { name: "without", label: "tokens/s without adapter", unit: "tokens/s" },
    { name: "one", label: "tokens/s with one", unit: "tokens/s" },
    { name: "sameSet", label: "tokens/s in total, one set", unit: "tokens/s" },
    { name: "mixedSets", label: `tokens/s in total, ${STREAMS} sets`, unit: "tokens/s" },
    { name: "mixedToSame", label: "the latter to the former", unit: "ratio" },
  ],
  peers: ["default"],
  prepare(text) {
    const without = prompt(text, 0)
    const one = prompt(text, 1)
    const same = Array.from({ length: STREAMS }, () => prompt(text, 1))
    const mixed = SCALES.map((scale) => prompt(text, scale))
    return async (endpoint): Promise<Sample> => {
      const rates = {
        without: await together(endpoint, [without]),
        one: await together(endpoint, [one]),
        sameSet: await together(endpoint, same),
        mixedSets: await together(endpoint, mixed),
      }
      return { ...rates, mixedToSame: rates.mixedSets / rates.sameSet }
    }
  },
}

function prompt(text: RandomText, scale: number): SentPrompt {
  return { kind: "text", text: text.next(PROMPT_TOKENS), lora: [{ id: 0, scale }] }
}

/** Tokens per second of all streams, after the first token of each. */
async function together(endpoint: Endpoint, prompts: readonly SentPrompt[]): Promise<number> {
  const completions = await Promise.all(prompts.map((each) => complete(endpoint, each, TOKENS)))
  const began = Math.min(...completions.map(({ textAt, sentAt }) => textAt[0] ?? sentAt))
  const ended = Math.max(...completions.map(({ finishedAt }) => finishedAt))
  return (prompts.length * (TOKENS - 1) * 1000) / (ended - began)
}
