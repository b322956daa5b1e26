/** A marker: its texts, and its control tokens by their ids. */
export type ResolvedMarker = readonly (string | number)[]

/** Control tokens among bytes or UTF-16 units: this plus their ids. */
export const CONTROL_UNITS = 0x1_0000

/** A marker as the units of a stream: bytes or UTF-16 units, and control tokens. */
export interface UnitPattern {
  readonly units: readonly number[]
  /** See {@link advance}. */
  readonly fallbacks: Int32Array
}

/** A marker to be found among the bytes of tokens. */
export function bytePattern(marker: ResolvedMarker): UnitPattern {
  return toPattern(
    marker.flatMap((part) => (typeof part === "number" ? [CONTROL_UNITS + part] : [...Buffer.from(part)])),
  )
}

/** A marker to be found in texts. */
export function textPattern(marker: ResolvedMarker): UnitPattern {
  return toPattern(
    marker.flatMap((part) =>
      typeof part === "number"
        ? [CONTROL_UNITS + part]
        : Array.from({ length: part.length }, (_, at) => part.charCodeAt(at)),
    ),
  )
}

/** With the failure function of Knuth, Morris and Pratt, so that each unit of a stream is looked at once. */
function toPattern(units: readonly number[]): UnitPattern {
  const fallbacks = new Int32Array(units.length)
  for (let at = 1; at < units.length; at++)
    fallbacks[at] = advance({ units, fallbacks }, fallbacks[at - 1] ?? 0, units[at] ?? 0)
  return { units, fallbacks }
}

/** How much of the pattern a stream ends with after one more unit, given how much it was before: not all of it. */
export function advance({ units, fallbacks }: UnitPattern, matched: number, unit: number): number {
  let length = matched
  while (length > 0 && units[length] !== unit) length = fallbacks[length - 1] ?? 0
  return units[length] === unit ? length + 1 : 0
}

/** The control tokens of a marker. */
export function controlsOf(marker: ResolvedMarker): readonly number[] {
  return marker.filter((part) => typeof part === "number")
}
