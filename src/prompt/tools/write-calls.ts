import type { JsonType } from "../../grammar/notation"
import type { Marker, TaggedArguments, ToolSyntax, ValueNotation } from "./syntax"

/** A call as a template shows it. */
export interface WrittenCall {
  readonly id: string
  readonly name: string
  /** An object; any other value is written as it is. */
  readonly arguments: unknown
}

/** Writes calls as a model of the family does, for templates that cannot show them. */
export function writeCalls(syntax: ToolSyntax, calls: readonly WrittenCall[]): string {
  const written = calls.map((call, index) => {
    const { start, nameEnd, end, empty, isNameLast } = syntax.call
    const fill = (marker: Marker, argument = ""): string => fillMarker(marker, { call, index, argument })
    if (empty !== undefined && isEmpty(call.arguments)) return fill(start) + call.name + fill(empty)
    const given = writeArguments(syntax, call.arguments, fill)
    return isNameLast === true
      ? fill(start) + given + fill(nameEnd) + call.name + fill(end)
      : fill(start) + call.name + fill(nameEnd) + given + fill(end)
  })
  return (
    plainText(syntax.sectionStart) + written.join(plainText(syntax.separator)) + plainText(syntax.sectionEnd)
  )
}

/** A call up to its arguments, as a template shows it; `index`: how many calls it counts before. */
export function writeHead(
  { call: { start, nameEnd } }: ToolSyntax,
  call: WrittenCall,
  index: number,
): string {
  const fill = (marker: Marker): string => fillMarker(marker, { call, index, argument: "" })
  return fill(start) + call.name + fill(nameEnd)
}

type Fill = (marker: Marker, argument?: string) => string

function writeArguments({ call: { arguments: form } }: ToolSyntax, value: unknown, fill: Fill): string {
  if (!isObject(value)) return String(value)
  switch (form.type) {
    case "json":
      return json(value)
    case "json-text":
      return JSON.stringify(json(value)).slice(1, -1)
    case "tagged":
      return Object.entries(value)
        .map(([name, item]) => writeTagged(form, name, item, fill))
        .join(plainText(form.separator))
  }
}

function writeTagged(form: TaggedArguments, name: string, value: unknown, fill: Fill): string {
  const nameEnd = form.nameEndOf?.[jsonTypeOf(value)] ?? form.nameEnd
  const isRaw = typeof value === "string" && form.strings === "raw"
  const text = isRaw ? value : writeValue(form, form.values, value, fill)
  return fill(form.start, name) + name + fill(nameEnd, name) + text + fill(form.valueEnd, name)
}

function writeValue(form: TaggedArguments, notation: ValueNotation, value: unknown, fill: Fill): string {
  switch (notation.type) {
    case "json":
      return json(value)
    case "python":
      return python(value)
    case "bare-keys":
      return bareKeys(value, notation.quote)
    case "nested": {
      const member = (name: string, item: unknown): string => writeTagged(form, name, item, fill)
      if (Array.isArray(value)) return value.map((item) => member(notation.item, item)).join("")
      if (isObject(value))
        return Object.entries(value)
          .map(([key, item]) => member(key, item))
          .join("")
      return typeof value === "string" ? value : json(value)
    }
  }
}

/** As Python's `json.dumps` does, which models are trained on: a blank after commas and colons. */
function json(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(json).join(", ")}]`
  if (!isObject(value)) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${json(item)}`)
    .join(", ")}}`
}

function python(value: unknown): string {
  if (value === null) return "None"
  if (typeof value === "boolean") return value ? "True" : "False"
  if (typeof value === "string") return pythonText(value)
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`
  if (!isObject(value)) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, item]) => `${pythonText(key)}: ${python(item)}`)
    .join(", ")}}`
}

function pythonText(text: string): string {
  return JSON.stringify(text)
}

function bareKeys(value: unknown, quote: string): string {
  if (typeof value === "string") return quote + value + quote
  if (Array.isArray(value)) return `[${value.map((item) => bareKeys(item, quote)).join(",")}]`
  if (!isObject(value)) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, item]) => `${key}:${bareKeys(item, quote)}`)
    .join(",")}}`
}

interface Filling {
  readonly call: WrittenCall
  readonly index: number
  readonly argument: string
}

function fillMarker(marker: Marker, { call, index, argument }: Filling): string {
  return marker
    .map((part) => {
      switch (part.type) {
        case "text":
          return part.text
        case "id":
          return call.id
        case "name":
          return call.name
        case "index":
          return String(index + part.first)
        case "argument":
          return argument
      }
    })
    .join("")
}

/** A marker without variable parts. */
function plainText(marker: Marker): string {
  return marker.map((part) => (part.type === "text" ? part.text : "")).join("")
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function isEmpty(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 0
}

function jsonTypeOf(value: unknown): JsonType {
  if (value === null) return "null"
  if (Array.isArray(value)) return "array"
  const type = typeof value
  return type === "string" || type === "number" || type === "boolean" ? type : "object"
}
