import { language } from "../texts/language"

const UNITS = ["B", "KB", "MB", "GB", "TB"] as const

/** `1.2 GB`; by thousands, as the command line shows sizes. */
export function bytesText(bytes: number): string {
  let unit = 0
  let value = Math.max(0, bytes)
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${numberText(value, value < 10 && unit > 0 ? 1 : 0)} ${UNITS[unit] ?? ""}`
}

/** With the separators of the language. */
export function numberText(value: number, digits = 0): string {
  return new Intl.NumberFormat(language.value, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value)
}

/** `494M`, `7.6B`: as the names of models have it. */
export function parameterCountText(count: number): string {
  if (count >= 1e9) return `${numberText(count / 1e9, count < 1e10 ? 1 : 0)}B`
  if (count >= 1e6) return `${numberText(count / 1e6)}M`
  return numberText(count)
}

/** `340 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(milliseconds: number): string {
  if (milliseconds < 1000) return `${numberText(milliseconds)} ms`
  const seconds = milliseconds / 1000
  if (seconds < 60) return `${numberText(seconds, seconds < 10 ? 1 : 0)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  return `${numberText(Math.floor(minutes / 60))} h ${minutes % 60} min`
}

/** `now`, `5 minutes ago`, `yesterday`, and a date for what is older than a week. */
export function agoText(time: number, now = Date.now()): string {
  const relative = new Intl.RelativeTimeFormat(language.value, { numeric: "auto" })
  const seconds = (time - now) / 1000
  const size = Math.abs(seconds)
  if (size < 45) return relative.format(0, "second")
  if (size < 3600) return relative.format(Math.round(seconds / 60), "minute")
  if (size < 86_400) return relative.format(Math.round(seconds / 3600), "hour")
  if (size < 7 * 86_400) return relative.format(Math.round(seconds / 86_400), "day")
  return dateText(time)
}

export function dateText(time: number): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: "medium" }).format(time)
}
