import {
  timeToFirstToken,
  type Completion,
  type Endpoint,
  type SentPrompt,
} from "../../src/measure/http/completion"
import { complete } from "../completion"
import { BenchFailure } from "../failure"
import type { Load } from "../load"
import type { Sample } from "../statistics"

/** The newcomer's request is sent after this many pieces of the running stream. */
const PIECES_BEFORE = 32
/** Enough for the stream to outlast the newcomer's prompt, if the server interleaves them. */
const STREAM_TOKENS = 320
const PROMPT_TOKENS = 1650
const NEWCOMER_TOKENS = 8

/** How another client's long prompt affects a running answer. */
export const longArrival: Load = {
  name: "arrival",
  title: `a running stream while a ${PROMPT_TOKENS}-token prompt arrives`,
  metrics: [
    { name: "longestGap", label: "longest gap of the stream", unit: "ms" },
    { name: "ttft", label: "newcomer's TTFT", unit: "ms" },
  ],
  peers: ["default"],
  prepare(text) {
    const running: SentPrompt = { kind: "text", text: text.next(16) }
    const newcomer: SentPrompt = { kind: "text", text: text.next(PROMPT_TOKENS) }
    return (endpoint) => arrive(endpoint, running, newcomer)
  },
}

async function arrive(endpoint: Endpoint, running: SentPrompt, newcomer: SentPrompt): Promise<Sample> {
  const underWay = Promise.withResolvers<void>()
  const stream = complete(endpoint, running, STREAM_TOKENS, (pieces) => {
    if (pieces === PIECES_BEFORE) underWay.resolve()
  })
  stream.catch(underWay.reject)
  await underWay.promise
  const [ran, came] = await Promise.all([stream, complete(endpoint, newcomer, NEWCOMER_TOKENS)])
  return { longestGap: gapDuring(ran, came), ttft: timeToFirstToken(came) }
}

/** The stream's longest gap that overlaps the newcomer's time to first token. */
function gapDuring(stream: Completion, newcomer: Completion): number {
  const from = newcomer.sentAt
  const until = newcomer.sentAt + timeToFirstToken(newcomer)
  if (stream.finishedAt < until)
    throw new BenchFailure("the running stream ended before the newcomer's first token; nothing to measure")
  const gaps = stream.textAt
    .slice(1)
    .map((end, i) => ({ start: stream.textAt[i] ?? end, end }))
    .filter(({ start, end }) => end >= from && start <= until)
  return Math.max(0, ...gaps.map(({ start, end }) => end - start))
}
