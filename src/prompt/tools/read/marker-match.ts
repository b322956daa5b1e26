import type { TokenSymbols } from "../control-tokens"
import type { Marker, MarkerPart } from "../syntax"
import { afterFewSpaces, afterSpaces, isSpace, more, type Reading, type TextStream } from "./text-stream"

/** What the variable parts of a marker are. */
export interface MarkerContext {
  readonly name?: string
  readonly argument?: string
}

export interface MarkerMatch {
  /** Where it ends. */
  readonly end: number
  readonly id?: string
  readonly index?: number
}

/** `partial`: more text decides. */
export type MatchResult = MarkerMatch | "partial" | undefined

/** Of ids that models write; longer ones are none. */
const LONGEST_ID = 128

/** Markers one after another as one, with tokens as the characters that stand for them. */
export function joinMarkers(symbols: TokenSymbols, ...markers: readonly Marker[]): Marker {
  const joined: MarkerPart[] = []
  for (const part of markers.flat()) {
    const last = joined.at(-1)
    if (part.type === "text" && last?.type === "text")
      joined[joined.length - 1] = { type: "text", text: last.text + part.text }
    else joined.push(part)
  }
  return joined
    .map((part) => (part.type === "text" ? { ...part, text: symbols.encode(part.text) } : part))
    .filter((part) => part.type !== "text" || part.text !== "")
}

/** Has the marker anything but spaces? Only then it can be recognized. */
export function isVisible(marker: Marker): boolean {
  return marker.some((part) => part.type !== "text" || part.text.trim() !== "")
}

/**
 * Does `marker` stand at `at`? Spaces within it may be other spaces in the text, or none; those at its end are left out
 * or written exactly, as a value may begin after them.
 */
export function matchMarker(
  marker: Marker,
  stream: TextStream,
  at: number,
  context: MarkerContext = {},
): MatchResult {
  let end = at
  let id: string | undefined
  let index: number | undefined
  for (const [number, part] of marker.entries()) {
    const isLast = number === marker.length - 1
    if (part.type === "id" || part.type === "index") {
      const after = endOfRun(stream.text, end, part.type === "id" ? isIdCode : isDigit)
      if (after === stream.text.length && !stream.isEnded && after - end <= LONGEST_ID) return "partial"
      if (after === end || after - end > LONGEST_ID) return undefined
      const written = stream.text.slice(end, after)
      if (part.type === "id") id = written
      else index = Number(written)
      end = after
    } else {
      const literal = literalOf(part, context)
      const result = matchLiteral(literal, isLast, stream, end)
      if (typeof result !== "number") return result
      end = result
    }
  }
  return { end, ...(id !== undefined && { id }), ...(index !== undefined && { index }) }
}

function literalOf(part: Exclude<MarkerPart, { type: "id" | "index" }>, context: MarkerContext): string {
  if (part.type === "text") return part.text
  return (part.type === "name" ? context.name : context.argument) ?? ""
}

function matchLiteral(
  literal: string,
  isLast: boolean,
  { text, isEnded }: TextStream,
  from: number,
): number | "partial" | undefined {
  const core = isLast ? literal.trimEnd().length : literal.length
  let at = from
  for (let index = 0; index < core;) {
    const code = literal.charCodeAt(index)
    if (isSpace(code)) {
      const after = afterFewSpaces(text, at)
      if (after === undefined) return undefined
      index = afterSpaces(literal, index)
      at = after
    } else if (at >= text.length) return isEnded ? undefined : "partial"
    else if (text.charCodeAt(at) === code) {
      index++
      at++
    } else return undefined
  }
  for (let index = core; index < literal.length; index++, at++) {
    if (at >= text.length) return isEnded ? at : "partial"
    if (text.charCodeAt(at) !== literal.charCodeAt(index)) return at
  }
  return at
}

function endOfRun(text: string, from: number, isPart: (code: number) => boolean): number {
  let at = from
  while (at < text.length && at - from <= LONGEST_ID && isPart(text.charCodeAt(at))) at++
  return at
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

/** Letters, digits, and the signs `_ - . :`. */
function isIdCode(code: number): boolean {
  return (
    isDigit(code) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a) ||
    [0x5f, 0x2d, 0x2e, 0x3a].includes(code)
  )
}

/** Reads the marker if it comes next, after any spaces; undefined if it does not. */
export function* marker(
  wanted: Marker,
  stream: TextStream,
  context: MarkerContext = {},
): Reading<MarkerMatch | undefined> {
  const found = yield* lookAhead(wanted, stream, context)
  if (found !== undefined) stream.at = found.end
  return found
}

/** Does the marker come next, after any spaces? Reads nothing. */
export function* lookAhead(
  wanted: Marker,
  stream: TextStream,
  context: MarkerContext = {},
): Reading<MarkerMatch | undefined> {
  for (;;) {
    const exact = matchMarker(wanted, stream, stream.at, context)
    const start = afterFewSpaces(stream.text, stream.at)
    if (start === undefined) return exact === "partial" ? undefined : exact
    const found = exact === undefined ? matchMarker(wanted, stream, start, context) : exact
    const isOpen = found === "partial" || (found === undefined && start === stream.text.length)
    if (!isOpen || !(yield* more(stream))) return found === "partial" ? undefined : found
  }
}
