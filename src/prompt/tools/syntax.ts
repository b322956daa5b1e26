import type { JsonType } from "../../grammar/notation"

/** A part of what surrounds names, arguments and values. */
export type MarkerPart =
  | { readonly type: "text"; readonly text: string }
  /** The call's id. */
  | { readonly type: "id" }
  /** The number of the call, which counts from `first` on: in its answer, or where it `runsOn` in the conversation. */
  | { readonly type: "index"; readonly first: 0 | 1; readonly runsOn?: true }
  /** The function's name once more. */
  | { readonly type: "name" }
  /** The name of the argument, in the markers of a tagged argument. */
  | { readonly type: "argument" }

export type Marker = readonly MarkerPart[]

/** How a model writes the calls of an answer: `sectionStart call (separator call)* sectionEnd`. */
export interface ToolSyntax {
  readonly origin: "learned" | "known" | "generic"
  readonly sectionStart: Marker
  readonly separator: Marker
  readonly sectionEnd: Marker
  readonly call: CallSyntax
  /** Other ways in which models write the same call: read as well, and never the one that is forced. */
  readonly variants?: readonly CallSyntax[]
  /** Can an answer have several calls? */
  readonly isParallel: boolean
  readonly idForm: IdForm
  /** Markers around the text of an answer, where it has any: no part of the text. */
  readonly text?: { readonly start: string; readonly end: string }
  /** Other markers that are no part of the text (the headers of channels). */
  readonly dropped?: readonly string[]
  /**
   * The prompt has begun the section already (Functionary v3.2): an answer that does not begin with `text.start` begins
   * with a call. After text, `text.end` begins the section.
   */
  readonly isOpened?: boolean
}

/** One call: `start name nameEnd arguments end`. */
export interface CallSyntax {
  readonly start: Marker
  readonly nameEnd: Marker
  readonly arguments: ArgumentsSyntax
  readonly end: Marker
  /** What follows the name of a call without arguments, where that is more than the other markers without them. */
  readonly empty?: Marker
  /** The order is `start arguments nameEnd name end`: `nameEnd` is then what separates the two. */
  readonly isNameLast?: boolean
}

export type ArgumentsSyntax =
  /** One JSON object. */
  | { readonly type: "json" }
  /** One JSON object, written as the content of a JSON string; the quotes belong to the markers around it. */
  | { readonly type: "json-text" }
  | TaggedArguments

/** Each argument on its own: `start name nameEnd value valueEnd`, and `separator` between them. */
export interface TaggedArguments {
  readonly type: "tagged"
  readonly start: Marker
  readonly nameEnd: Marker
  /** Replaces `nameEnd` for values of these types (`string="true"`, `type="number"`). */
  readonly nameEndOf?: Readonly<Partial<Record<JsonType, Marker>>>
  readonly valueEnd: Marker
  readonly separator: Marker
  /** `raw`: the text as it is, up to `valueEnd`. `as-others`: as `values` says. */
  readonly strings: "raw" | "as-others"
  /** A raw string may stand between these as well, and then ends with the second of them (`<![CDATA[`, `]]>`). */
  readonly stringWrap?: { readonly start: string; readonly end: string }
  readonly values: ValueNotation
}

/** How values are written that are no raw strings. */
export type ValueNotation =
  | { readonly type: "json" }
  /** Literals of Python: `True`, `None`, strings in either quotes. */
  | { readonly type: "python" }
  /** As JSON, but with keys as they are, and strings between two of these. */
  | { readonly type: "bare-keys"; readonly quote: string }
  /**
   * The members of objects are written as arguments are, within the value; items of lists as arguments with the name
   * `item`. Scalars: strings as they are, others as JSON.
   */
  | { readonly type: "nested"; readonly item: string }

/** The form of the ids that a family's template renders. */
export type IdForm =
  /** A prefix, then this many letters and digits. */
  | { readonly type: "random"; readonly prefix: string; readonly length: number }
  /** Made of the call's name and number, which counts all calls of the conversation (Kimi K2: `functions.NAME:0`). */
  | { readonly type: "composed"; readonly marker: Marker }

/** For families that say nothing about ids. */
export const ANY_ID: IdForm = { type: "random", prefix: "call_", length: 24 }

/** Mistral's. */
export const NINE_CHARACTERS: IdForm = { type: "random", prefix: "", length: 9 }

/** Does the number of a call depend on the calls before its answer? */
export function numbersRunOn({ call: { start, nameEnd, end, empty = [] } }: ToolSyntax): boolean {
  return [start, nameEnd, end, empty].flat().some((part) => part.type === "index" && part.runsOn === true)
}

export function markerText(value: string): Marker {
  return value === "" ? [] : [{ type: "text", text: value }]
}

/**
 * The texts that begin a call in an answer that is free before them: the section's first marker, or that of a call where
 * there is none. Empty: the answer itself begins the section.
 */
export function triggersOf(syntax: ToolSyntax): readonly string[] {
  if (syntax.isOpened === true) return []
  const section = triggerIn(leadingText(syntax.sectionStart))
  if (section !== "") return [section]
  const calls = [syntax.call, ...(syntax.variants ?? [])]
  return [...new Set(calls.map(({ start }) => triggerIn(leadingText(start))))].filter((text) => text !== "")
}

function leadingText(marker: Marker): string {
  const [first] = marker
  return first?.type === "text" ? first.text : ""
}

/**
 * The part of a marker by which it is recognized: without the JSON or the tag that follows in a new line or after a tag,
 * as models write the spaces there differently.
 */
function triggerIn(text: string): string {
  const marker = text.replace(/^\n+/, "")
  if (marker.trim() === "") return ""
  for (let at = 1; at <= marker.length; at++) {
    const before = marker.slice(0, at).trimEnd()
    const isLineEnd = marker.slice(before.length, at).includes("\n")
    const isTagEnd = before.endsWith(">") || before.endsWith("]")
    const rest = marker.slice(at)
    const isCut = /^[[{]([\s"[{]|$)/.test(rest) || (isLineEnd && (rest === "" || rest.startsWith("<")))
    if (isCut && (isLineEnd || isTagEnd)) return before
  }
  return marker
}
