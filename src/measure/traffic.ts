import { type Completion, timeToFirstToken } from "./http/completion"
import { median, percentile, seededRandom } from "./statistics"

/** How requests arrive: so many at a time, or at a rate, whether earlier ones have ended or not. */
export type Arrivals =
  | { readonly kind: "together"; readonly requests: number }
  | { readonly kind: "rate"; readonly perSecond: number; readonly requests: number }

/** When each request is sent, in milliseconds from the start: at random, as independent people ask. */
export function sendTimes(arrivals: Arrivals, seed: number): readonly number[] {
  if (arrivals.kind === "together") return Array.from({ length: arrivals.requests }, () => 0)
  const random = seededRandom(seed)
  let at = 0
  return Array.from({ length: arrivals.requests }, (_, index) => {
    if (index > 0) at += (-Math.log(1 - random()) / arrivals.perSecond) * 1000
    return at
  })
}

/** Sends the requests, and waits for all of them. `ask` gets the number of each. */
export async function runTraffic(
  arrivals: Arrivals,
  seed: number,
  ask: (request: number) => Promise<Completion>,
  signal: AbortSignal,
): Promise<readonly Completion[]> {
  return await Promise.all(
    sendTimes(arrivals, seed).map(async (afterMs, request) => {
      if (afterMs > 0) await Bun.sleep(afterMs)
      signal.throwIfAborted()
      return await ask(request)
    }),
  )
}

/** What one round of traffic shows. */
export interface TrafficFigures {
  /** Generated tokens per second, of all streams together. */
  readonly tokensPerSecond: number
  /** Of one stream, from its first text on. */
  readonly perStream: number
  readonly firstTokenMs: readonly number[]
  readonly gapsMs: readonly number[]
  readonly seconds: number
}

export function figuresOf(completions: readonly Completion[]): TrafficFigures {
  const began = Math.min(...completions.map(({ sentAt }) => sentAt))
  const ended = Math.max(...completions.map(({ finishedAt }) => finishedAt))
  const tokens = completions.reduce((sum, { completionTokens }) => sum + completionTokens, 0)
  return {
    tokensPerSecond: (1000 * tokens) / (ended - began),
    perStream: median(completions.map(streamRate)),
    firstTokenMs: completions.map(timeToFirstToken),
    gapsMs: completions.flatMap(({ textAt }) =>
      textAt.slice(1).map((at, index) => at - (textAt[index] ?? at)),
    ),
    seconds: (ended - began) / 1000,
  }
}

/** Tokens per second after the first one, which the prompt's evaluation yields. */
function streamRate({ textAt, finishedAt, completionTokens }: Completion): number {
  const ms = finishedAt - (textAt[0] ?? finishedAt)
  return ms > 0 ? (1000 * (completionTokens - 1)) / ms : 0
}

export function percentilesOf(values: readonly number[]): { p50: number; p99: number } {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) }
}
