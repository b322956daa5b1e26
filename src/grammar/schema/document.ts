import { InvalidRequest } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"

/** A JSON Schema that is not a boolean. */
export type SchemaObject = Readonly<Record<string, unknown>>

export type Schema = boolean | SchemaObject

/** A part of a schema, and where it is: a JSON pointer that begins with `#`. */
export interface Located {
  readonly schema: Schema
  readonly path: string
}

/** @throws InvalidRequest if `value` is no schema */
export function asSchema(value: unknown, path: string): Schema {
  if (typeof value === "boolean") return value
  if (isRecord(value)) return value
  throw wrong(path, "must be an object or a boolean", value)
}

export function isRecord(value: unknown): value is SchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** The schemas of an object's field that holds them by name. @throws InvalidRequest */
export function schemasByName(
  schema: SchemaObject,
  key: string,
  path: string,
): readonly (readonly [string, Schema])[] {
  const value = schema[key]
  if (value === undefined) return []
  if (!isRecord(value)) throw wrong(at(path, key), "must be an object", value)
  return Object.entries(value).map(([name, inner]) => [name, asSchema(inner, at(path, key, name))])
}

/** The schemas of a field that holds a list of them. @throws InvalidRequest */
export function schemaList(schema: SchemaObject, key: string, path: string): readonly Schema[] {
  const value = schema[key]
  if (value === undefined) return []
  if (!Array.isArray(value)) throw wrong(at(path, key), "must be a list", value)
  return value.map((inner: unknown, index) => asSchema(inner, at(path, key, String(index))))
}

/** @throws InvalidRequest */
export function textListKeyword(schema: SchemaObject, key: string, path: string): readonly string[] {
  const value = schema[key]
  if (value === undefined) return []
  if (!Array.isArray(value)) throw wrong(at(path, key), "must be a list", value)
  return value.map((inner: unknown, index) => {
    if (typeof inner !== "string") throw wrong(at(path, key, String(index)), "must be a text", inner)
    return inner
  })
}

/** A number, or undefined if there is none. @throws InvalidRequest */
export function numberKeyword(schema: SchemaObject, key: string, path: string): number | undefined {
  const value = schema[key]
  if (value === undefined) return undefined
  if (typeof value !== "number") throw wrong(at(path, key), "must be a number", value)
  return value
}

/** A whole number from 0 on, or undefined if there is none. @throws InvalidRequest */
export function countKeyword(schema: SchemaObject, key: string, path: string): number | undefined {
  const value = numberKeyword(schema, key, path)
  if (value === undefined || (Number.isInteger(value) && value >= 0)) return value
  throw wrong(at(path, key), "must be a whole number from 0 on", value)
}

export function textKeyword(schema: SchemaObject, key: string, path: string): string | undefined {
  const value = schema[key]
  if (value === undefined || typeof value === "string") return value
  throw wrong(at(path, key), "must be a text", value)
}

/** The path of a part, as a JSON pointer (RFC 6901). */
export function at(path: string, ...keys: readonly string[]): string {
  return [path, ...keys.map((key) => key.replaceAll("~", "~0").replaceAll("/", "~1"))].join("/")
}

/** The most characters of a value that an error repeats. */
const SHOWN_LENGTH = 60

export function wrong(path: string, rule: string, value?: unknown): InvalidRequest {
  const shown = value === undefined ? "" : `, got ${shorten(JSON.stringify(value), SHOWN_LENGTH)}`
  return new InvalidRequest(`the JSON schema at ${shorten(path, SHOWN_LENGTH)} ${rule}${shown}`)
}

/**
 * The part of `root` that a reference names: `#`, `#/a/b`, or a plain name that some part has as its `$anchor`.
 * @throws InvalidRequest if there is none, or it is in another document
 */
export function resolveReference(root: Schema, reference: string, path: string): Located {
  if (reference === "#" || reference === "") return { schema: root, path: "#" }
  if (!reference.startsWith("#"))
    throw wrong(
      path,
      `refers to another document (${shorten(reference, SHOWN_LENGTH)}); only parts of the same one can be used`,
    )
  const pointer = decoded(reference.slice(1))
  const keys = pointer.split("/").slice(1)
  let found: unknown = pointer.startsWith("/") ? root : undefined
  for (const key of keys) {
    const name = key.replaceAll("~1", "/").replaceAll("~0", "~")
    const holder: unknown = found
    const isThere = typeof holder === "object" && holder !== null && Object.hasOwn(holder, name)
    found = isThere ? (holder as Record<string, unknown>)[name] : undefined
  }
  if (found === undefined)
    throw wrong(path, `refers to '${shorten(reference, SHOWN_LENGTH)}', which does not exist`)
  return { schema: asSchema(found, reference), path: `#${pointer}` }
}

function decoded(pointer: string): string {
  try {
    return decodeURIComponent(pointer)
  } catch {
    return pointer
  }
}
