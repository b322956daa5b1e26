/** A new object with only these fields of `from`. */
export function pick<T extends object, K extends keyof T>(from: T, fields: readonly K[]): Pick<T, K> {
  const entries = fields.map((field) => [field, from[field]])
  // Object.fromEntries forgets its keys.
  return Object.fromEntries(entries) as Pick<T, K>
}
