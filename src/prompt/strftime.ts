const MONTHS: readonly string[] = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
]
const DAYS: readonly string[] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

const DIRECTIVES: Readonly<Record<string, (date: Date) => string>> = {
  a: (date) => dayName(date).slice(0, 3),
  A: dayName,
  b: (date) => monthName(date).slice(0, 3),
  B: monthName,
  d: (date) => digits(date.getDate(), 2),
  e: (date) => String(date.getDate()).padStart(2, " "),
  H: (date) => digits(date.getHours(), 2),
  I: (date) => digits(date.getHours() % 12 || 12, 2),
  j: (date) => digits(dayOfYear(date), 3),
  m: (date) => digits(date.getMonth() + 1, 2),
  M: (date) => digits(date.getMinutes(), 2),
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  S: (date) => digits(date.getSeconds(), 2),
  y: (date) => digits(date.getFullYear() % 100, 2),
  Y: (date) => String(date.getFullYear()),
  "%": () => "%",
}

/**
 * Python's `strftime` in the C locale and local time, for the directives above and their `%-d` forms without
 * leading zeros; other directives are copied unchanged.
 */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, dash: string, letter: string) => {
    const text = DIRECTIVES[letter]?.(date)
    if (text === undefined) return whole
    return dash === "" ? text : text.replace(/^[0 ]+(?=.)/, "")
  })
}

function dayName(date: Date): string {
  return DAYS[date.getDay()] ?? ""
}

function monthName(date: Date): string {
  return MONTHS[date.getMonth()] ?? ""
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, "0")
}

function dayOfYear(date: Date): number {
  // In UTC, so that no daylight-saving change lies in between.
  const midnight = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())
  return (midnight - Date.UTC(date.getFullYear(), 0, 0)) / 86_400_000
}
