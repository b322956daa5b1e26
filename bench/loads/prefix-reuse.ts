import { timeToFirstToken, type Endpoint, type SentPrompt } from "../../src/measure/http/completion"
import { complete } from "../completion"
import type { Load } from "../load"
import type { Sample } from "../statistics"

const PROMPT_TOKENS = 1240
const DIFFERENT_TOKENS = 8
const ANSWER_TOKENS = 8

/** A long prompt, then the same with a different end: measures what is computed the second time. */
export const prefixReuse: Load = {
  name: "prefix",
  title: `a second ${PROMPT_TOKENS}-token prompt that differs in its last ${DIFFERENT_TOKENS} tokens`,
  metrics: [
    { name: "ttftCold", label: "TTFT cold", unit: "ms" },
    { name: "ttftWarm", label: "TTFT warm", unit: "ms" },
    { name: "warmToCold", label: "warm / cold", unit: "ratio" },
  ],
  peers: ["default"],
  prepare(text) {
    const prefix = text.next(PROMPT_TOKENS - DIFFERENT_TOKENS)
    const [first, second] = [text.next(DIFFERENT_TOKENS), text.next(DIFFERENT_TOKENS)]
    return (endpoint) =>
      coldThenWarm(endpoint, { kind: "text", text: prefix + first }, { kind: "text", text: prefix + second })
  },
}

async function coldThenWarm(endpoint: Endpoint, first: SentPrompt, second: SentPrompt): Promise<Sample> {
  const ttftCold = timeToFirstToken(await complete(endpoint, first, ANSWER_TOKENS))
  const ttftWarm = timeToFirstToken(await complete(endpoint, second, ANSWER_TOKENS))
  return { ttftCold, ttftWarm, warmToCold: ttftWarm / ttftCold }
}
