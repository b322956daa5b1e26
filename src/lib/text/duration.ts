const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }

/** Matches whole texts that {@link parseDuration} accepts, for schemas. */
export const DURATION_PATTERN = "^(\\d+(\\.\\d+)?|(\\d+(\\.\\d+)?([mM][sS]|[sSmMhHdD]))+)$"

/**
 * Parses durations such as `300`, `90s`, `1.5h` or `1h30m` to seconds: a number of seconds, or a sequence of
 * numbers with units (ms, s, m, h, d); `undefined` for any other text.
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

/** A time for messages, rounded: `1.5 s`, `30 s`, `1234 s`. */
export function formatSeconds(milliseconds: number): string {
  const seconds = milliseconds / 1000
  return `${seconds < 100 ? Number(seconds.toPrecision(3)) : Math.round(seconds)} s`
}
