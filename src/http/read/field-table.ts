import { Unsupported } from "../../errors/request"
import type { Fields } from "./fields"
import { isJsonObject } from "./body/json-body"

/** Supported. */
export const taken = "taken"

/**
 * Ignored, because the answer is correct without it: a hint, an option of another service, or our default behaviour.
 */
export const ignored = "ignored"

/** Refused when it is in use: the answer would look right but be wrong, or lack what was requested. */
export interface Refusal {
  readonly isInUse: (value: unknown, fields: Fields) => boolean
  /** Should the message include the value? */
  readonly showsValue?: true
  /** The end of the message. */
  readonly instead?: string
  /** A complete message that replaces the default one. */
  readonly message?: string
}

/** How each field of a request is handled. Fields that are not listed are ignored. */
export type FieldTable = Readonly<Record<string, typeof taken | typeof ignored | Refusal>>

/** Form fields are strings, including booleans. */
const isSet = (value: unknown): boolean => value !== false && value !== "false" && value !== ""

export const isNotEmpty = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.length > 0
  if (!isJsonObject(value)) return isSet(value)
  // One member is enough, however many there are.
  for (const _ in value) return true
  return false
}

export function refused(instead = ""): Refusal {
  return { isInUse: isSet, instead }
}

export function refusedUnlessEmpty(instead = ""): Refusal {
  return { isInUse: isNotEmpty, instead }
}

/** Refused from this number on; smaller ones turn the feature off. */
export function refusedFrom(least: number): Refusal {
  return { isInUse: (value) => !(Number(value) < least) }
}

/** `harmless` values request our default behaviour. */
export function refusedUnless(harmless: readonly unknown[], instead = ""): Refusal {
  return { isInUse: (value) => !harmless.includes(value), showsValue: true, instead }
}

/**
 * `path`: a prefix for the names in messages.
 * @throws Unsupported naming the first unsupported field that is in use
 */
export function refuseUnsupported(fields: Fields, table: FieldTable, path = ""): void {
  for (const [name, treatment] of Object.entries(table)) {
    if (typeof treatment !== "object") continue
    const value = fields.unchecked(name)
    if (value === undefined || !treatment.isInUse(value, fields)) continue
    throw new Unsupported(treatment.message ?? complaint(path + name, value, treatment), path + name)
  }
}

function complaint(name: string, value: unknown, { showsValue, instead = "" }: Refusal): string {
  return `${name}${showsValue === true ? shown(value) : ""} is not supported${instead}`
}

function shown(value: unknown): string {
  if (isJsonObject(value)) return ""
  const text = Array.isArray(value) ? value.slice(0, 5).join(", ") : String(value)
  return ` ${text.slice(0, 40)}`
}
