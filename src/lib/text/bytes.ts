const POWERS = ["", "k", "m", "g", "t", "p"]

/** Matches whole texts that {@link parseBytes} accepts, for schemas. */
export const BYTES_PATTERN = "^\\d+(\\.\\d+)?\\s*([kKmMgGtTpP](i|i?[bB])?|[bB])?$"

/**
 * Parses sizes such as `1000000`, `8GiB` or `1.5 GB` to bytes; `undefined` for any other text. `GB` is decimal,
 * `GiB` binary, and so is `G` alone, as in systemd and llama.cpp.
 */
export function parseBytes(text: string): number | undefined {
  const given = text.trim()
  if (!new RegExp(BYTES_PATTERN).test(given)) return undefined
  const [, count, letter = "", ending = ""] = /^([\d.]+)\s*([kmgtp]?)(i?b?)$/i.exec(given) ?? []
  const base = ending.toLowerCase() === "b" ? 1000 : 1024
  return Math.round(Number(count) * base ** POWERS.indexOf(letter.toLowerCase()))
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"]

/** A size for messages, rounded to three digits: `512 bytes`, `16 MiB`, `1.5 GiB`. */
export function formatSize(bytes: number): string {
  const power = UNITS.findLastIndex((_unit, exponent) => bytes >= 1024 ** exponent)
  const unit = Math.max(0, power)
  return `${Number((bytes / 1024 ** unit).toPrecision(3))} ${UNITS[unit]}`
}
