/** A part of a file, `start` to `end` inclusive. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * Parses a Range header (RFC 9110, section 14): one range of bytes, or `"unsatisfiable"` where the file has none of
 * them. Undefined for headers that a server may ignore: other units, several ranges, invalid ones.
 */
export function parseRange(header: string, sizeBytes: number): ByteRange | "unsatisfiable" | undefined {
  const [, first = "", last = ""] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header) ?? []
  if (first === "" && last === "") return undefined
  if (first === "") {
    const length = Math.min(Number(last), sizeBytes)
    return length === 0 ? "unsatisfiable" : { start: sizeBytes - length, end: sizeBytes - 1 }
  }
  const start = Number(first)
  const end = last === "" ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  if (last !== "" && Number(last) < start) return undefined
  return start >= sizeBytes ? "unsatisfiable" : { start, end }
}

/** Does an If-None-Match or If-Match list contain the entity tag? Compared weakly, as caches do. */
export function matchesTag(header: string, tag: string): boolean {
  if (header.trim() === "*") return true
  return header.split(",").some((one) => one.trim().replace(/^W\//, "") === tag)
}
