import { endOfJson } from "./locate-calls"
import type { ValueNotation } from "../syntax"

/** A value of a type, put into a call to see how it is written. */
export const VALUE_PROBES = {
  number: 7319,
  boolean: true,
  null: null,
  object: { ikeyprobe: "ivalueprobe", jkeyprobe: 5 },
  array: ["ivalueprobe", 5],
} as const

export type ProbedType = keyof typeof VALUE_PROBES

/** A string with characters that some templates put into a section of their own. */
export const WRAPPED_PROBE = 'wq<vprobe>&"x"'

/** What stands between an argument's name and the marker that ends its value, for each type that could be rendered. */
export type RenderedValues = Readonly<Partial<Record<ProbedType | "wrapped", string>>>

export interface LearnedValues {
  readonly strings: "raw" | "as-others"
  readonly values: ValueNotation
  /** Around a string: a part of what was taken for markers. */
  readonly quote: string
  /** Around strings with characters of markup. */
  readonly wrap?: { readonly start: string; readonly end: string }
  /** By the type of the value, where they differ from a string's. */
  readonly nameEndOf: Readonly<Partial<Record<ProbedType, string>>>
}

/**
 * @param nameEnd between an argument's name and a string
 * @param valueEnd after a string
 */
export function learnValues(nameEnd: string, valueEnd: string, rendered: RenderedValues): LearnedValues {
  const quote = quoteOf(nameEnd, valueEnd, rendered)
  const plain = nameEnd.slice(0, nameEnd.length - quote.length)
  const notation = notationOf(plain, quote, rendered)
  const nameEndOf: Partial<Record<ProbedType, string>> = {}
  for (const type of Object.keys(VALUE_PROBES) as ProbedType[]) {
    const before = beforeValue(type, rendered[type], plain)
    if (before !== undefined && before !== plain) nameEndOf[type] = before
  }
  const wrap = quote === "" ? wrapOf(nameEnd, rendered.wrapped) : undefined
  return {
    strings: quote === "" ? "raw" : "as-others",
    values: notation,
    quote,
    nameEndOf,
    ...(wrap !== undefined && { wrap }),
  }
}

function wrapOf(nameEnd: string, rendered: string | undefined): LearnedValues["wrap"] {
  if (rendered?.startsWith(nameEnd) !== true) return undefined
  const value = rendered.slice(nameEnd.length)
  const at = value.indexOf(WRAPPED_PROBE)
  const [start, end] = [value.slice(0, at), value.slice(at + WRAPPED_PROBE.length)]
  return at > 0 && end !== "" ? { start, end } : undefined
}

/** What stands at the end of `nameEnd` and the start of `valueEnd`, and not before a number. */
function quoteOf(nameEnd: string, valueEnd: string, { number }: RenderedValues): string {
  const before = beforeValue("number", number, nameEnd)
  if (before === undefined || before.length >= nameEnd.length || !nameEnd.startsWith(before)) return ""
  const quote = nameEnd.slice(before.length)
  return valueEnd.startsWith(quote) ? quote : ""
}

function notationOf(
  nameEnd: string,
  quote: string,
  { boolean, object, array }: RenderedValues,
): ValueNotation {
  const json: ValueNotation = { type: "json" }
  if (quote === '"') return json
  if (quote === "'" || boolean?.endsWith("True") === true) return { type: "python" }
  if (quote !== "") return { type: "bare-keys", quote }
  const shown = object?.startsWith(nameEnd) === true ? object.slice(nameEnd.length) : object
  if (shown === undefined || shown.includes('"ikeyprobe"')) return json
  if (shown.includes("'ikeyprobe'")) return { type: "python" }
  const item = /<([A-Za-z_]+)>ivalueprobe/.exec(array ?? "")?.[1]
  return item !== undefined && shown.includes("ikeyprobe") ? { type: "nested", item } : json
}

/** The text before a value, where the value is written as expected. */
function beforeValue(type: ProbedType, rendered: string | undefined, nameEnd: string): string | undefined {
  if (rendered === undefined) return undefined
  const text = literalIn(type, rendered)
  if (text !== undefined) return rendered.slice(0, rendered.length - text.length)
  return rendered.startsWith(nameEnd) ? nameEnd : undefined
}

function literalIn(type: ProbedType, rendered: string): string | undefined {
  switch (type) {
    case "number":
      return /7319(\.0)?$/.exec(rendered)?.[0]
    case "boolean":
      return /(true|True)$/.exec(rendered)?.[0]
    case "null":
      return /(null|None)$/.exec(rendered)?.[0]
    case "object":
    case "array": {
      const from = rendered.indexOf(type === "object" ? "{" : "[")
      return from !== -1 && endOfJson(rendered, from) === rendered.length ? rendered.slice(from) : undefined
    }
  }
}
