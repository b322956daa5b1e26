import { type CallSyntax, type Marker, markerText, type ToolSyntax } from "./syntax"

/** Small models leave out the tags around the JSON of a call (Qwen2.5 Coder): such calls are read as well. */
export function withBareCalls(syntax: ToolSyntax): ToolSyntax {
  const bare = bareCall(syntax.call)
  if (bare === undefined || syntax.sectionStart.length > 0 || syntax.variants !== undefined) return syntax
  return { ...syntax, variants: [bare] }
}

/** The call without what stands before its first brace and after its last one; undefined if that is nothing. */
function bareCall(call: CallSyntax): CallSyntax | undefined {
  const [start, end] = [textOfMarker(call.start), textOfMarker(call.end)]
  if (start === undefined || end === undefined) return undefined
  if (call.arguments.type !== "json" || call.isNameLast === true) return undefined
  const from = start.indexOf("{")
  const to = end.lastIndexOf("}") + 1
  if (to === 0 || start.slice(0, from).trim() === "") return undefined
  return { ...call, start: markerText(start.slice(from)), end: markerText(end.slice(0, to)) }
}

/** Undefined if the marker has variable parts. */
function textOfMarker(marker: Marker): string | undefined {
  const [part, ...others] = marker
  return part?.type === "text" && others.length === 0 ? part.text : undefined
}
