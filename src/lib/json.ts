/** A JSON object with unchecked fields. */
export type JsonRecord = Readonly<Record<string, unknown>>

/** Parses JSON; `undefined` where the text is invalid. */
export function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `value` if it is an object. */
export function toRecord(value: unknown): JsonRecord | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  // Neither null nor an array, so it is a record.
  return value as JsonRecord
}

export function recordAt(record: JsonRecord | undefined, key: string): JsonRecord | undefined {
  return toRecord(record?.[key])
}

/** The objects in a list; empty where there is no list. */
export function recordsAt(record: JsonRecord, key: string): readonly JsonRecord[] {
  const list: unknown = record[key]
  return Array.isArray(list) ? list.map(toRecord).filter((item) => item !== undefined) : []
}

/** The texts in a list; empty where there is no list. */
export function textsAt(record: JsonRecord, key: string): readonly string[] {
  const list: unknown = record[key]
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : []
}

export function textAt(record: JsonRecord | undefined, key: string): string | undefined {
  const value = record?.[key]
  return typeof value === "string" ? value : undefined
}

export function numberAt(record: JsonRecord | undefined, key: string): number | undefined {
  const value = record?.[key]
  return typeof value === "number" ? value : undefined
}
