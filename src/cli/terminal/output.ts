/** Tables, sizes, durations and times as text. Pure: the time is an argument. */

/** Left-aligned columns under a heading, four spaces apart, without escape codes or trailing spaces. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  return aligned([heading, ...rows], 4)
}

/** Rows with aligned columns, `gap` spaces apart. Widths are terminal widths. */
export function aligned(rows: readonly (readonly string[])[], gap: number): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, Bun.stringWidth(cell))
    })
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) + gap - Bun.stringWidth(cell)))
      .join("")
      .trimEnd()
  return rows.map((row) => `${line(row)}\n`).join("")
}

/** Decimal units, at most one digit after the point: `134 B`, `4.7 GB`, `13 GB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB", "PB"]
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  const value = bytes / 1000 ** power
  const digits = value >= 10 || Number.isInteger(value) ? String(Math.floor(value)) : value.toFixed(1)
  return `${digits} ${units[power]}`
}

/** Rounded-down percentage; 0 if `total` is 0. */
export function percentOf(done: number, total: number): number {
  return Math.floor((100 * done) / Math.max(1, total))
}

/** `1m2.5s`, `1.234567s`, `130.079ms`, `250µs`: two to four units, without trailing zeros. */
export function formatDuration(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)}µs`
  if (ms < 1000) return `${trimmed(ms, 6)}ms`
  const seconds = ms / 1000
  if (seconds < 60) return `${trimmed(seconds, 9)}s`
  const whole = Math.floor(seconds / 60)
  const rest = `${trimmed(seconds - whole * 60, 3)}s`
  return whole < 60 ? `${whole}m${rest}` : `${Math.floor(whole / 60)}h${whole % 60}m${rest}`
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)))
}

/** The age in words: `3 weeks ago`, `About a minute ago`. */
export function formatAge(then: Date, now: Date): string {
  const seconds = Math.floor((now.getTime() - then.getTime()) / 1000)
  if (seconds < 0) return `${inWords(-seconds)} from now`
  return `${inWords(seconds)} ago`
}

function inWords(seconds: number): string {
  const minutes = Math.floor(seconds / 60)
  const hours = Math.round(seconds / 3600)
  const days = Math.floor(hours / 24)
  if (seconds < 1) return "Less than a second"
  if (seconds === 1) return "1 second"
  if (seconds < 60) return `${seconds} seconds`
  if (minutes === 1) return "About a minute"
  if (minutes < 60) return `${minutes} minutes`
  if (hours === 1) return "About an hour"
  if (hours < 48) return `${hours} hours`
  if (days < 14) return `${days} days`
  if (days < 60) return `${Math.floor(days / 7)} weeks`
  if (days < 730) return `${Math.floor(days / 30)} months`
  return `${Math.floor(days / 365)} years`
}

/** Replaces control characters, which file names may contain and which must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd")
}

/**
 * Makes a model's text safe for a terminal: keeps line breaks and tabs, but nothing else that could move the cursor
 * or change the screen.
 */
export function terminalSafe(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd")
}

/** Two indented columns under a heading, as in the sections of `show`. */
export function section(title: string, rows: readonly (readonly string[])[]): string {
  const body = aligned(
    rows.map((row) => row.map(printable)),
    4,
  )
  return `  ${title}\n${body.replace(/^/gm, "    ").trimEnd()}\n`
}

/** Pretty-printed JSON; big integers in metadata become numbers if they fit, otherwise strings. */
export function toJson(value: unknown): string {
  const plain = (_key: string, inner: unknown) => {
    if (typeof inner !== "bigint") return inner
    return Number.isSafeInteger(Number(inner)) ? Number(inner) : String(inner)
  }
  return `${JSON.stringify(value, plain, 2)}\n`
}
