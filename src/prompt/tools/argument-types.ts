import type { JsonType } from "../../grammar/notation"
import { isRecord, resolveReference, type Schema } from "../../grammar/schema/document"

const ALL: readonly JsonType[] = ["string", "number", "boolean", "null", "object", "array"]

/** References and combinations that are followed. */
const MOST_STEPS = 16

/** A part of a tool's schema, as far as readers of calls need it. Never throws: what cannot be read allows anything. */
export class ArgumentSchema {
  readonly #root: Schema
  /** All parts together: a value matches one of them. */
  readonly #alternatives: readonly Schema[]

  private constructor(root: Schema, alternatives: readonly Schema[]) {
    this.#root = root
    this.#alternatives = alternatives
  }

  /** Of the arguments of a tool; `parameters` undefined: any. */
  static of(parameters: unknown): ArgumentSchema {
    const root = isRecord(parameters) ? parameters : true
    return new ArgumentSchema(root, alternativesOf(root, root, MOST_STEPS))
  }

  /** The types that a value may have. */
  get types(): ReadonlySet<JsonType> {
    return new Set(this.#alternatives.flatMap(typesIn))
  }

  /** Is this text one of the listed values? Then it is no number or literal that looks the same. */
  lists(text: string): boolean {
    return this.#alternatives.some(
      (each) => isRecord(each) && (each["const"] === text || asList(each["enum"]).includes(text)),
    )
  }

  /** Of a member of objects. */
  member(name: string): ArgumentSchema {
    return this.#inner((schema) => {
      const { properties, additionalProperties } = schema
      if (isRecord(properties) && Object.hasOwn(properties, name)) return properties[name]
      return additionalProperties ?? (properties === undefined ? true : undefined)
    })
  }

  /** Of the items of lists. */
  get item(): ArgumentSchema {
    return this.#inner(({ items }) => (Array.isArray(items) ? true : (items ?? true)))
  }

  #inner(pick: (schema: Readonly<Record<string, unknown>>) => unknown): ArgumentSchema {
    const found = this.#alternatives
      .map((each) => (isRecord(each) ? pick(each) : true))
      .filter((each) => isRecord(each) || each === true)
    const schemas = found.length === 0 ? [true] : found
    return new ArgumentSchema(
      this.#root,
      schemas.flatMap((each) => alternativesOf(each as Schema, this.#root, MOST_STEPS)),
    )
  }
}

function alternativesOf(schema: Schema, root: Schema, steps: number): readonly Schema[] {
  if (!isRecord(schema)) return [true]
  if (steps === 0) return [true]
  const { $ref, anyOf, oneOf, allOf } = schema
  if (typeof $ref === "string") return alternativesOf(referenced(root, $ref), root, steps - 1)
  const inner = (list: readonly unknown[]): readonly Schema[] =>
    list.flatMap((each) => alternativesOf(isRecord(each) ? each : true, root, steps - 1))
  const choices = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : undefined
  if (choices !== undefined && choices.length > 0) return [...own(schema), ...inner(choices)]
  if (Array.isArray(allOf) && allOf.length > 0) {
    // What all demand together: the parts that say something about the type.
    const parts = [...own(schema), ...inner(allOf)]
    const narrow = parts.filter((part) => typesIn(part).length < ALL.length)
    return narrow.length === 0 ? parts : narrow
  }
  return [schema]
}

/** What a schema says beside its combinations, if it names members. */
function own(schema: Readonly<Record<string, unknown>>): readonly Schema[] {
  return isRecord(schema["properties"]) ? [schema] : []
}

function referenced(root: Schema, reference: string): Schema {
  try {
    return resolveReference(root, reference, "#").schema
  } catch {
    return true
  }
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function typesIn(schema: Schema): readonly JsonType[] {
  if (!isRecord(schema)) return ALL
  const { type, enum: list, const: only, nullable } = schema
  const found =
    only !== undefined
      ? [typeOf(only)]
      : Array.isArray(list)
        ? list.map(typeOf)
        : Array.isArray(type)
          ? type.map(named)
          : typeof type === "string"
            ? [named(type)]
            : (implied(schema) ?? ALL)
  return nullable === true ? [...found, "null"] : found
}

function implied(schema: Readonly<Record<string, unknown>>): readonly JsonType[] | undefined {
  if (schema["properties"] !== undefined) return ["object"]
  if (schema["items"] !== undefined) return ["array"]
  return schema["pattern"] !== undefined || schema["minLength"] !== undefined ? ["string"] : undefined
}

function named(type: unknown): JsonType {
  return type === "integer" ? "number" : (ALL.find((each) => each === type) ?? "string")
}

/** The type of a JSON value. */
export function typeOf(value: unknown): JsonType {
  if (value === null || value === undefined) return "null"
  if (Array.isArray(value)) return "array"
  const type = typeof value
  return type === "number" || type === "boolean" || type === "object" ? type : "string"
}
