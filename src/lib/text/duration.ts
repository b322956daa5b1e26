const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }

/** Whole texts that {@link parseDuration} reads, for schemas. */
export const DURATION_PATTERN = "^(\\d+(\\.\\d+)?|(\\d+(\\.\\d+)?([mM][sS]|[sSmMhHdD]))+)$"

/**
 * Seconds that a text such as `300`, `90s`, `1.5h` or `1h30m` means: a number of seconds, or numbers with units
 * (ms, s, m, h, d) one after another; `undefined` where it is neither.
 */
export function parseDuration(text: string): number | undefined {
  const given = text.trim().toLowerCase()
  if (!new RegExp(DURATION_PATTERN).test(given)) return undefined
  let seconds = 0
  for (const [, count, unit = "s"] of given.matchAll(/([\d.]+)(ms|[smhd])?/g)) {
    seconds += Number(count) * (SECONDS[unit] ?? NaN)
  }
  return seconds
}

/** A time as messages have it, rounded: `1.5 s`, `30 s`, `1234 s`. */
export function formatSeconds(milliseconds: number): string {
  const seconds = milliseconds / 1000
  return `${seconds < 100 ? Number(seconds.toPrecision(3)) : Math.round(seconds)} s`
}
