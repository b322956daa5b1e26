import type { ToolUse } from "../../domain/tools"
import { type CallSyntax, type Marker, markerText, type ToolSyntax, triggersOf } from "./syntax"

/** A beginning of calls. */
export interface CallTrigger {
  /** The part of it before the name. */
  readonly after: string
  /** The whole texts. */
  readonly texts: readonly string[]
}

/**
 * Small models leave out the tags around the JSON of a call, and may write it over several lines or as a block of code
 * (Qwen2.5 Coder): such calls are read as well.
 */
export function withBareCalls(syntax: ToolSyntax): ToolSyntax {
  const bare = bareCall(syntax.call)
  if (bare === undefined || syntax.sectionStart.length > 0 || syntax.variants !== undefined) return syntax
  const lines = indented(bare)
  return { ...syntax, variants: [fenced(lines), lines, fenced(bare), bare] }
}

/** The call without what stands before its first brace and after its last one; undefined if that is nothing. */
function bareCall(call: CallSyntax): CallSyntax | undefined {
  const [start, end] = [textOfMarker(call.start), textOfMarker(call.end)]
  if (start === undefined || end === undefined || textOfMarker(call.nameEnd) === undefined) return undefined
  if (call.arguments.type !== "json" || call.isNameLast === true) return undefined
  const from = start.indexOf("{")
  const to = end.lastIndexOf("}") + 1
  if (to === 0 || start.slice(0, from).trim() === "") return undefined
  return { ...call, start: markerText(start.slice(from)), end: markerText(end.slice(0, to)) }
}

/** Each key on a line of its own. */
function indented(call: CallSyntax): CallSyntax {
  return {
    ...call,
    start: changed(call.start, /^\{\s*/, "{\n  "),
    nameEnd: changed(call.nameEnd, /,\s*/, ",\n  "),
    end: changed(call.end, /^\s*\}/, "\n}"),
  }
}

/** As a block of code. */
function fenced(call: CallSyntax): CallSyntax {
  return {
    ...call,
    start: changed(call.start, /^/, "```json\n"),
    end: changed(call.end, /$/, "\n```"),
  }
}

function changed(marker: Marker, pattern: RegExp, replacement: string): Marker {
  return markerText((textOfMarker(marker) ?? "").replace(pattern, replacement))
}

/** Undefined if the marker has variable parts. */
function textOfMarker(marker: Marker): string | undefined {
  const [part, ...others] = marker
  return part?.type === "text" && others.length === 0 ? part.text : undefined
}

/**
 * The texts after which nothing but a call can follow. Where calls begin as other JSON may, they have the name of a tool.
 */
export function certainTriggers(syntax: ToolSyntax, { tools, callable }: ToolUse): readonly CallTrigger[] {
  const names = callable ?? tools.map(({ name }) => name)
  const ofJson = [syntax.call, ...(syntax.variants ?? [])].flatMap(({ start, nameEnd }) => {
    const text = syntax.sectionStart.length > 0 ? undefined : textOfMarker(start)
    const isJson = text !== undefined && beginsAsJson(text)
    if (!isJson || textOfMarker(nameEnd)?.startsWith('"') !== true) return []
    return [{ after: text, texts: names.map((name) => `${text}${name}"`) }]
  })
  const others = triggersOf(syntax).filter((text) => !beginsAsJson(text))
  return [...others.map((text) => ({ after: text, texts: [text] })), ...ofJson]
}

/** May a text that is no call begin like this? */
export function beginsAsJson(text: string): boolean {
  return /^(```json|\{|\[\s*([{"]|$))/.test(text)
}
