/** The patience of a download. Milliseconds. */
export interface Patience {
  /** Attempts in a row without progress before the download fails. */
  readonly attempts: number
  /** Delay after the first of them; doubles with each. */
  readonly firstDelayMs: number
  readonly longestDelayMs: number
  /** A server that asks for a longer delay is not waited for. */
  readonly longestRetryAfterMs: number
  /** A connection without data for this long is replaced. */
  readonly stallMs: number
}

export const PATIENCE: Patience = {
  attempts: 8,
  firstDelayMs: 250,
  longestDelayMs: 20_000,
  longestRetryAfterMs: 10 * 60_000,
  stallMs: 30_000,
}

/** Statuses that mean "not now": request timeout, too many requests, and server errors. */
export function isTemporary(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

/**
 * The delay before the next attempt, in milliseconds.
 * @param attempt the number of failures in a row, from 1
 * @param random from 0 to 1: spreads clients that failed together over half of the delay
 */
export function retryDelay(attempt: number, random: number, patience: Patience): number {
  const whole = Math.min(patience.longestDelayMs, patience.firstDelayMs * 2 ** (attempt - 1))
  return whole * (0.5 + random / 2)
}

/**
 * The delay in a `Retry-After` header, given in seconds or as a date; in milliseconds. `undefined` where there is
 * none.
 */
export function retryAfterMs(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime())
}
