/** A count of parameters: `7.6B`, `134.52M`, `96K`. */
export function formatCount(count: number): string {
  if (count >= 1e9) return `${withFraction(count / 1e9, 1)}B`
  if (count >= 1e6) return `${withFraction(count / 1e6, 2)}M`
  if (count >= 1e3) return `${Math.round(count / 1e3)}K`
  return String(count)
}

function withFraction(value: number, digits: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(digits)
}
