import {
  ANY_ID,
  type ArgumentsSyntax,
  type Marker,
  markerText,
  type TaggedArguments,
  type ToolSyntax,
} from "../../../src/prompt/tools/syntax"

export const ID = { type: "id" } as const
export const NAME = { type: "name" } as const
export const ARGUMENT = { type: "argument" } as const
export const index = (first: 0 | 1) => ({ type: "index", first }) as const

/** A marker, written as its parts. */
export function m(...parts: readonly (string | Marker[number])[]): Marker {
  return parts.flatMap((part) => (typeof part === "string" ? markerText(part) : [part]))
}

interface Parts {
  readonly section?: readonly [start: string, separator: string, end: string]
  readonly start: Marker
  readonly nameEnd: Marker
  readonly end: Marker
  readonly arguments?: ArgumentsSyntax
  readonly empty?: Marker
}

export function syntax(parts: Parts, more: Partial<ToolSyntax> = {}): ToolSyntax {
  const [start, separator, end] = parts.section ?? ["", "", ""]
  return {
    origin: "known",
    sectionStart: m(start),
    separator: m(separator),
    sectionEnd: m(end),
    call: {
      start: parts.start,
      nameEnd: parts.nameEnd,
      arguments: parts.arguments ?? { type: "json" },
      end: parts.end,
      ...(parts.empty && { empty: parts.empty }),
    },
    isParallel: true,
    idForm: ANY_ID,
    ...more,
  }
}

export function tagged(parts: Partial<TaggedArguments>): TaggedArguments {
  return {
    type: "tagged",
    start: [],
    nameEnd: [],
    valueEnd: [],
    separator: [],
    strings: "raw",
    values: { type: "json" },
    ...parts,
  }
}

/** An answer, and the calls in it: name, arguments, and the id if the text has it. */
export interface Example {
  readonly text: string
  readonly content?: string
  readonly calls: readonly (readonly [name: string, args: unknown, id?: string])[]
}

export interface Family {
  readonly name: string
  readonly syntax: ToolSyntax
  readonly tokens?: readonly string[]
  readonly examples: readonly Example[]
}

/** The tools that the examples call. */
export const TOOLS = [
  {
    name: "weather",
    isStrict: false,
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" }, metric: { type: "boolean" } },
      required: ["city"],
    },
  },
  { name: "now", isStrict: false, parameters: { type: "object", properties: {} } },
  {
    name: "weather_map",
    isStrict: false,
    parameters: {
      type: "object",
      properties: {
        area: { type: "object", properties: { north: { type: "number" }, label: { type: "string" } } },
        tags: { type: "array", items: { type: "string" } },
        note: { anyOf: [{ type: "string" }, { type: "null" }] },
      },
    },
  },
] as const

export const OSLO = { city: "Oslo", days: 3, metric: true }
export const MAP = { area: { north: 59.5, label: "a b" }, tags: ["x", "y"], note: null }
