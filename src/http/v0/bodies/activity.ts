import type { ActivityTotals, JournalEntry } from "../../../metrics/activity"
import type { RequestContext } from "../../context/request-context"

/** A request that a model works on; in GET /v0/requests and the events. */
export interface RequestBody {
  /** Also of the log lines and of the header `X-Request-ID`. */
  readonly id: string
  readonly path: string
  readonly model: string | null
  readonly kind: string
  readonly state: "waiting" | "prompt" | "generating" | "running"
  readonly elapsed_ms: number
  /** 0 where the work has no tokens. */
  readonly prompt_tokens: number
  readonly generated_tokens: number
}

/** The event `activity`, once a second. */
export interface ActivityBody {
  /** ISO 8601. */
  readonly at: string
  /** Since the last of these events. */
  readonly generated_tokens_per_second: number
  readonly running: number
  readonly waiting: number
  /** Of the last five minutes; `null`: there was none. */
  readonly first_token_ms: { readonly p50: number; readonly p95: number } | null
  /** Since the start of the server. */
  readonly totals: {
    readonly generated_tokens: number
    readonly prompt_tokens: number
    readonly cached_prompt_tokens: number
    readonly finished: number
    readonly failed: number
    readonly refused: number
  }
  readonly requests: readonly RequestBody[]
}

/** The event `journal`: something that happened to a model. */
export interface JournalBody {
  readonly id: number
  /** ISO 8601. */
  readonly at: string
  readonly type: JournalEntry["type"]
  readonly model: string
  readonly replica: number
  /** Of a load. */
  readonly ms?: number
  /** Of a load that failed: the code of the error. */
  readonly code?: string
  /** Of an unload. */
  readonly reason?: string
}

/** Requests beyond this many are not listed one by one. */
const LISTED = 200

export function toRequestBodies(working: readonly RequestContext[]): readonly RequestBody[] {
  return working.slice(0, LISTED).map((requestContext) => ({
    id: requestContext.id,
    path: requestContext.path,
    model: requestContext.model ?? requestContext.named ?? null,
    kind: requestContext.requests[0]?.kind ?? "other",
    state: requestContext.phase,
    elapsed_ms: Math.round(requestContext.elapsedMs),
    prompt_tokens: requestContext.promptTokens,
    generated_tokens: requestContext.generatedTokens,
  }))
}

export function toTotalsBody(totals: ActivityTotals): ActivityBody["totals"] {
  return {
    generated_tokens: totals.generatedTokens,
    prompt_tokens: totals.promptTokens,
    cached_prompt_tokens: totals.cachedTokens,
    finished: totals.finished,
    failed: totals.failed,
    refused: totals.refused,
  }
}

export function toJournalBody({ at, ...entry }: JournalEntry): JournalBody {
  return { ...entry, at: at.toISOString() }
}

/** The median and the 95th percentile of sorted numbers. */
export function toPercentiles(sorted: readonly number[]): ActivityBody["first_token_ms"] {
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0)
  return sorted.length === 0 ? null : { p50: at(0.5), p95: at(0.95) }
}
