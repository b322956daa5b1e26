import { InvalidRequest } from "../errors"
import { isJsonObject, type JsonObject, kindOf } from "./body"

/** The values that a number may have, both ends included. Without `max` there is no upper end. */
export interface Range {
  readonly min: number
  readonly max?: number
}

/** Reads and checks the fields of a request body. `null` and absent are the same: the default. */
export class Fields {
  readonly #object: JsonObject
  readonly #path: string

  /** `path`: what stands before the names in messages, such as `stream_options.`. */
  constructor(object: JsonObject, path = "") {
    this.#object = object
    this.#path = path
  }

  /** The value as it came. */
  raw(name: string): unknown {
    return this.#object[name] ?? undefined
  }

  /** @throws InvalidRequest where it is not a number in the range */
  number(name: string, range: Range): number | undefined {
    const value = this.raw(name)
    return value === undefined ? undefined : checkNumber(this.#path + name, value, range)
  }

  /** @throws InvalidRequest where it is not a whole number in the range */
  integer(name: string, range: Range): number | undefined {
    const value = this.raw(name)
    return value === undefined ? undefined : checkInteger(this.#path + name, value, range)
  }

  /** @throws InvalidRequest */
  boolean(name: string): boolean | undefined {
    const value = this.raw(name)
    if (value === undefined || typeof value === "boolean") return value
    throw broken(this.#path + name, "true or false", value)
  }

  /** @throws InvalidRequest where it is not valid Unicode text */
  text(name: string): string | undefined {
    const value = this.raw(name)
    return value === undefined ? undefined : checkText(this.#path + name, value)
  }

  /** @throws InvalidRequest where it is none of `choices` */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    const chosen = choices.find((choice) => choice === value)
    if (chosen !== undefined) return chosen
    throw broken(this.#path + name, `one of ${choices.join(", ")}`, value)
  }

  /** @throws InvalidRequest */
  list(name: string): readonly unknown[] | undefined {
    const value = this.raw(name)
    return value === undefined ? undefined : checkList(this.#path + name, value)
  }

  /** @throws InvalidRequest */
  object(name: string): JsonObject | undefined {
    const value = this.raw(name)
    if (value === undefined || isJsonObject(value)) return value
    throw broken(this.#path + name, "an object", value)
  }
}

/** An object without the properties that are undefined, for types where absent and undefined differ. */
export type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

export function defined<T extends object>(object: T): Defined<T> {
  // The loop below is what makes the type true.
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(object)) if (value !== undefined) result[name] = value
  return result as Defined<T>
}

/** @throws InvalidRequest */
export function checkNumber(name: string, value: unknown, range: Range): number {
  if (typeof value !== "number") throw broken(name, `a number ${inWords(range)}`, value)
  if (!isWithin(value, range)) throw broken(name, inWords(range), value)
  return value
}

/** @throws InvalidRequest */
export function checkInteger(name: string, value: unknown, range: Range): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && isWithin(value, range)) return value
  throw broken(name, `a whole number ${inWords(range)}`, value)
}

/** @throws InvalidRequest where it is not a string, or holds half of a surrogate pair */
export function checkText(name: string, value: unknown): string {
  if (typeof value !== "string") throw broken(name, "a string", value)
  if (!value.isWellFormed())
    throw new InvalidRequest(`${name} is not valid Unicode: it has a lone surrogate`, name)
  return value
}

/** @throws InvalidRequest */
export function checkList(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw broken(name, "an array", value)
}

/** The complaint that `name` breaks the rule "must be …". */
export function broken(name: string, rule: string, value: unknown): InvalidRequest {
  return new InvalidRequest(`${name} must be ${rule}, got ${shown(value)}`, name)
}

function isWithin(value: number, { min, max = Number.MAX_VALUE }: Range): boolean {
  return value >= min && value <= max
}

function inWords({ min, max }: Range): string {
  return max === undefined ? `of at least ${min}` : `between ${min} and ${max}`
}

/** A value as it may stand in a message: texts in quotes and not too long, no contents of objects. */
function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  if (typeof value !== "string") return kindOf(value)
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
}
