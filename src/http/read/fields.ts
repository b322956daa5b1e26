import { InvalidRequest } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { type ListBound, type Range, SHOWN, type TextBound } from "../../limits"
import { isJsonObject, type JsonObject, kindOf } from "./body/json-body"

/**
 * Reads and checks the fields of a request body. `null` and absent both mean the default. Every value is checked
 * against its bound from `limits.ts`, except {@link unchecked} values: their caller must bound every part.
 */
export class Fields {
  readonly #object: JsonObject
  readonly #path: string

  /** `path`: a prefix for the names in messages, such as `stream_options.`. */
  constructor(object: JsonObject, path = "") {
    this.#object = object
    this.#path = path
  }

  /** The value as sent. */
  unchecked(name: string): unknown {
    return this.#object[name] ?? undefined
  }

  /** @throws InvalidRequest if it is not a number in the range */
  number(name: string, range: Range): number | undefined {
    const value = this.unchecked(name)
    return value === undefined ? undefined : checkNumber(this.#path + name, value, range)
  }

  /** @throws InvalidRequest if it is not an integer in the range */
  integer(name: string, range: Range): number | undefined {
    const value = this.unchecked(name)
    return value === undefined ? undefined : checkInteger(this.#path + name, value, range)
  }

  /** @throws InvalidRequest */
  boolean(name: string): boolean | undefined {
    const value = this.unchecked(name)
    if (value === undefined || typeof value === "boolean") return value
    throw invalidField(this.#path + name, "true or false", value)
  }

  /** @throws InvalidRequest if it is not valid Unicode text, or too long */
  text(name: string, bound: TextBound): string | undefined {
    const value = this.unchecked(name)
    return value === undefined ? undefined : checkText(this.#path + name, value, bound)
  }

  /** @throws InvalidRequest if it is not one of `choices` */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.unchecked(name)
    if (value === undefined) return undefined
    const chosen = choices.find((choice) => choice === value)
    if (chosen !== undefined) return chosen
    throw invalidField(this.#path + name, `one of ${choices.join(", ")}`, value)
  }

  /** Does not check the entries. @throws InvalidRequest if it is not an array, or has too many entries */
  list(name: string, bound: ListBound): readonly unknown[] | undefined {
    const value = this.unchecked(name)
    return value === undefined ? undefined : checkList(this.#path + name, value, bound)
  }

  /** An object whose fields are read separately. @throws InvalidRequest */
  object(name: string): JsonObject | undefined {
    const value = this.unchecked(name)
    if (value === undefined || isJsonObject(value)) return value
    throw invalidField(this.#path + name, "an object", value)
  }
}

/**
 * A text whose length is counted in characters (code points).
 * @throws InvalidRequest as {@link Fields.text}
 */
export function readCharacters(fields: Fields, name: string, { maxLength }: TextBound): string | undefined {
  // A character takes at most two units, so a much longer text is rejected without counting.
  const text = fields.text(name, { maxLength: 2 * maxLength })
  const characters = text === undefined ? 0 : Array.from(text).length
  if (characters > maxLength) throw tooMany(name, maxLength, "characters", characters)
  return text
}

/** An object type without undefined properties, for types that distinguish them from absent ones. */
export type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

export function defined<T extends object>(object: T): Defined<T> {
  // The loop below makes the type true.
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(object)) if (value !== undefined) result[name] = value
  return result as Defined<T>
}

/** @throws InvalidRequest */
export function checkNumber(name: string, value: unknown, range: Range): number {
  if (typeof value !== "number") throw invalidField(name, `a number ${inWords(range)}`, value)
  if (!isWithin(value, range)) throw invalidField(name, inWords(range), value)
  return value
}

/** @throws InvalidRequest */
export function checkInteger(name: string, value: unknown, range: Range): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && isWithin(value, range)) return value
  throw invalidField(name, `a whole number ${inWords(range)}`, value)
}

/** @throws InvalidRequest if it is not a string, is too long, or contains half of a surrogate pair */
export function checkText(name: string, value: unknown, { maxLength }: TextBound): string {
  if (typeof value !== "string") throw invalidField(name, "a string", value)
  if (value.length > maxLength) throw tooMany(name, maxLength, "characters", value.length)
  if (!value.isWellFormed())
    throw new InvalidRequest(`${name} is not valid Unicode: it has a lone surrogate`, name)
  return value
}

/** @throws InvalidRequest if it is not an array, or has too many entries */
export function checkList(name: string, value: unknown, { maxItems }: ListBound): readonly unknown[] {
  if (!Array.isArray(value)) throw invalidField(name, "an array", value)
  if (value.length > maxItems) throw tooMany(name, maxItems, "entries", value.length)
  return value
}

/** The error that `name` must have at most `most` of `what`. */
export function tooMany(name: string, most: number, what: string, given: number): InvalidRequest {
  return new InvalidRequest(`${name} must have at most ${most} ${what}, got ${given}`, name)
}

/** The error that `name` breaks the rule "must be …". */
export function invalidField(name: string, rule: string, value: unknown): InvalidRequest {
  return new InvalidRequest(`${name} must be ${rule}, got ${shown(value)}`, name)
}

function isWithin(value: number, { min, max }: Range): boolean {
  return value >= min && value <= max
}

function inWords({ min, max }: Range): string {
  return `between ${min} and ${max}`
}

/** A value for use in a message: texts are quoted and shortened, the contents of objects are omitted. */
function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  if (typeof value !== "string") return kindOf(value)
  return JSON.stringify(shorten(value, SHOWN.value))
}
