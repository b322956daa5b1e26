import type { ToolCall } from "../../../domain/chat"
import { TEMPLATE_LEARNING } from "../../../limits"
import { MARK } from "./marked-text"
import type { ProbeNames } from "./probes"

export type ArgumentsStyle = "json" | "json-text" | "tagged"

/** The rendered calls of a probe: the text with marks, and for each call where its name and its arguments are. */
export interface LocatedCalls {
  readonly text: string
  readonly calls: readonly { readonly name: number; readonly from: number; readonly to: number }[]
}

interface Range {
  readonly from: number
  readonly to: number
}

/** Of the calls in `body`, `undefined` if they are not all shown. */
export function styleOf(body: string, call: ToolCall, names: ProbeNames): ArgumentsStyle | undefined {
  const at = body.indexOf(call.name)
  if (at === -1 || body.includes("[object ")) return undefined
  if (findJson(body, at, call) !== undefined) return "json"
  if (findJsonText(body, at, call) !== undefined) return "json-text"
  const areShown = [...names.keys, ...names.values].every((text) => body.includes(text, at))
  return areShown ? "tagged" : undefined
}

/** Marks the calls in `body`, in their order; `undefined` if one is not found. */
export function locateCalls(
  body: string,
  calls: readonly ToolCall[],
  names: ProbeNames,
  style: ArgumentsStyle,
): LocatedCalls | undefined {
  const found: { readonly name: number; readonly given: Range }[] = []
  let cursor = 0
  for (const call of calls) {
    const name = body.indexOf(call.name, cursor)
    const given = name === -1 ? undefined : findArguments(body, name + call.name.length, call, names, style)
    if (given === undefined) return undefined
    found.push({ name, given })
    cursor = given.to
  }
  // Text positions move with every replacement: mark from piece to piece.
  let text = ""
  let copied = 0
  const marked = found.map(({ name, given }, index) => {
    const called = calls[index]?.name ?? ""
    text += mark(body.slice(copied, name), names)
    const at = text.length
    text += MARK.name + mark(body.slice(name + called.length, given.from), names)
    const from = text.length
    text += style === "tagged" ? mark(body.slice(given.from, given.to), names) : MARK.arguments
    copied = given.to
    return { name: at, from, to: text.length }
  })
  return { text: text + mark(body.slice(copied), names), calls: marked }
}

/** Replaces the names, ids and values of a probe. */
export function mark(text: string, { functions, ids, keys, values }: ProbeNames): string {
  const marks: readonly (readonly [string, string])[] = [
    ...functions.map((name) => [name, MARK.name] as const),
    ...ids.map((id) => [id, MARK.id] as const),
    [keys[0], MARK.firstArgument],
    [keys[1], MARK.secondArgument],
    ...values.map((value) => [value, MARK.value] as const),
  ]
  return marks.reduce((marked, [name, character]) => marked.replaceAll(name, character), text)
}

function findArguments(
  body: string,
  from: number,
  call: ToolCall,
  names: ProbeNames,
  style: ArgumentsStyle,
): Range | undefined {
  switch (style) {
    case "json":
      return findJson(body, from, call)
    case "json-text":
      return findJsonText(body, from, call)
    case "tagged":
      return findTagged(body, from, names)
  }
}

/** The first JSON object that equals the call's arguments. */
function findJson(body: string, start: number, call: ToolCall): Range | undefined {
  const wanted: unknown = JSON.parse(call.arguments)
  for (const from of placesOf(body, "{", start)) {
    const to = endOfJson(body, from)
    if (to !== undefined && Bun.deepEquals(parsed(body.slice(from, to)), wanted)) return { from, to }
  }
  return undefined
}

/** The content of the first JSON string in which the call's arguments are. */
function findJsonText(body: string, start: number, call: ToolCall): Range | undefined {
  const wanted: unknown = JSON.parse(call.arguments)
  for (const from of placesOf(body, '"{', start)) {
    const to = endOfString(body, from)
    const text = to === undefined ? undefined : parsed(body.slice(from, to))
    if (to !== undefined && typeof text === "string" && Bun.deepEquals(parsed(text), wanted))
      return { from: from + 1, to: to - 1 }
  }
  return undefined
}

/** The first places of a text, of which a template may render any number. */
function* placesOf(body: string, wanted: string, start: number): Generator<number> {
  let from = body.indexOf(wanted, start)
  for (let count = 0; from !== -1 && count < TEMPLATE_LEARNING.places; count++) {
    yield from
    from = body.indexOf(wanted, from + 1)
  }
}

/** From the first key to the end of the last value. */
function findTagged(body: string, start: number, { keys, values }: ProbeNames): Range | undefined {
  const from = body.indexOf(keys[0], start)
  const last = body.indexOf(values[1], from)
  return from === -1 || last === -1 ? undefined : { from, to: last + values[1].length }
}

/** The end of the object or list that begins at `from`. */
export function endOfJson(text: string, from: number): number | undefined {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const character = text[at]
    if (character === '"') {
      const end = endOfString(text, at)
      if (end === undefined) return undefined
      at = end - 1
    } else if (character === "{" || character === "[") depth++
    else if ((character === "}" || character === "]") && --depth === 0) return at + 1
  }
  return undefined
}

function endOfString(text: string, from: number): number | undefined {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++
    else if (text[at] === '"') return at + 1
  }
  return undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
