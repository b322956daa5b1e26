/** How patient a download is. Milliseconds. */
export interface Patience {
  /** Attempts in a row that bring nothing, before the download is given up. */
  readonly attempts: number
  /** Wait after the first of them; doubles with each. */
  readonly firstDelayMs: number
  readonly longestDelayMs: number
  /** A server that asks for a longer wait than this is not waited for. */
  readonly longestRetryAfterMs: number
  /** A connection that brings nothing for this long is replaced. */
  readonly stallMs: number
}

export const PATIENCE: Patience = {
  attempts: 8,
  firstDelayMs: 250,
  longestDelayMs: 20_000,
  longestRetryAfterMs: 10 * 60_000,
  stallMs: 30_000,
}

/** Answers that mean "not now": request timeout, too many requests, and what goes wrong on the server's side. */
export function isTemporary(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

/**
 * How long to wait before the next attempt, in milliseconds.
 * @param attempt how many have failed in a row, from 1
 * @param random from 0 to 1: spreads clients that failed together over half of the time
 */
export function retryDelay(attempt: number, random: number, patience: Patience): number {
  const whole = Math.min(patience.longestDelayMs, patience.firstDelayMs * 2 ** (attempt - 1))
  return whole * (0.5 + random / 2)
}

/** Milliseconds that a `Retry-After` header asks for, as seconds or as a date; `undefined` where it says nothing. */
export function retryAfterMs(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime())
}
