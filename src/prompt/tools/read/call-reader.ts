import type { ArgumentSchema } from "../argument-types"
import type { TokenSymbols } from "../control-tokens"
import type { CallSyntax, Marker } from "../syntax"
import { isVisible, joinMarkers, lookAhead, marker, type MarkerMatch, matchMarker } from "./marker-match"
import { TaggedReader } from "./tagged-arguments"
import { afterFewSpaces, more, peek, type Reading, type TextStream } from "./text-stream"
import { type JsonSink, readObject, readObjectInString } from "./values"

export type ToolSchemas = ReadonlyMap<string, ArgumentSchema>

/** What was written before a call's arguments. */
export interface CallHead {
  readonly name: string
  readonly id?: string
  readonly index?: number
  /** The call has no arguments, and is read as a whole. */
  readonly isEmpty: boolean
}

interface HeadMatch {
  readonly head: CallHead
  readonly after: number
}

export interface CallEnd {
  /** The arguments were whole. */
  readonly isWhole: boolean
  /** Where the family writes it after the arguments. */
  readonly id?: string
}

/** Reads one call of a family, in two steps: what identifies it, and its arguments. */
export class CallReader {
  readonly #syntax: CallSyntax
  readonly #tools: ToolSchemas
  /** Longest first: a name may begin with another. */
  readonly #names: readonly string[]
  readonly #symbols: TokenSymbols
  readonly #nameEnd: Marker
  readonly #end: Marker
  readonly #empty: Marker | undefined
  readonly #tagged: TaggedReader | undefined

  constructor(syntax: CallSyntax, tools: ToolSchemas, symbols: TokenSymbols) {
    this.#syntax = syntax
    this.#tools = tools
    this.#names = [...tools.keys()].sort((a, b) => b.length - a.length)
    this.#symbols = symbols
    this.#nameEnd = joinMarkers(symbols, syntax.nameEnd)
    this.#end = joinMarkers(symbols, syntax.end)
    this.#empty = syntax.empty && joinMarkers(symbols, syntax.empty)
    const { arguments: form } = syntax
    this.#tagged = form.type === "tagged" ? new TaggedReader(form, syntax.end, symbols) : undefined
  }

  /** `before`: the markers before the name, up to the call's own start. Undefined if no call can be recognized. */
  *head(stream: TextStream, before: Marker): Reading<CallHead | undefined> {
    for (;;) {
      const found = this.#headAt(stream, before)
      if (found !== "partial") {
        if (found !== undefined) stream.at = found.after
        // Where nothing visible follows names, only the arguments show that this one ends here.
        if (found === undefined || found.head.isEmpty || isVisible(this.#nameEnd)) return found?.head
        return (yield* this.#argumentsFollow(stream)) ? found.head : undefined
      }
      if (!(yield* more(stream))) return undefined
    }
  }

  /** Reads the arguments and what follows them. */
  *rest(stream: TextStream, { name, isEmpty }: CallHead, sink: JsonSink): Reading<CallEnd> {
    if (isEmpty) {
      sink("{}")
      return { isWhole: true }
    }
    if (!(yield* this.#readArguments(stream, this.#tools.get(name), sink))) return { isWhole: false }
    const end = yield* this.#readEnd(stream, name)
    return { isWhole: true, ...(end?.id !== undefined && { id: end.id }) }
  }

  /** A call whose arguments come first: all of it, as they mean nothing before the name is known. */
  *wholeWithNameLast(
    stream: TextStream,
    before: Marker,
  ): Reading<{ readonly head: CallHead; readonly json: string } | undefined> {
    const pieces: string[] = []
    const start = yield* marker(before, stream)
    if (start === undefined) return undefined
    if (!(yield* this.#readArguments(stream, undefined, (json) => pieces.push(json)))) return undefined
    const middle = yield* marker(this.#nameEnd, stream)
    if (middle === undefined) return undefined
    for (;;) {
      const found = this.#nameAt(stream, stream.at, (name, at) =>
        matchMarker(this.#end, stream, at, { name }),
      )
      if (found !== "partial") {
        if (found === undefined) return undefined
        stream.at = found.match.end
        const written = { ...start, ...middle, ...found.match }
        return { head: { ...headOf(found.name, written), isEmpty: false }, json: pieces.join("") }
      }
      if (!(yield* more(stream))) return undefined
    }
  }

  get isNameLast(): boolean {
    return this.#syntax.isNameLast === true
  }

  #headAt(stream: TextStream, before: Marker): HeadMatch | "partial" | undefined {
    let isPartial = false
    // The name may stand in the markers as well.
    const first = before.some((part) => part.type === "name") ? this.#names : [undefined]
    for (const name of first) {
      const start = this.#startAt(stream, before, name)
      if (start === "partial") isPartial = true
      else if (start !== undefined && !isPartial) return this.#namedAt(stream, start, name)
    }
    return isPartial ? "partial" : undefined
  }

  #startAt(
    stream: TextStream,
    before: Marker,
    name: string | undefined,
  ): MarkerMatch | "partial" | undefined {
    const context = name === undefined ? {} : { name }
    const exact = matchMarker(before, stream, stream.at, context)
    if (exact !== undefined) return exact
    const start = afterFewSpaces(stream.text, stream.at)
    if (start === undefined) return undefined
    if (start === stream.text.length && !stream.isEnded) return "partial"
    return start === stream.at ? undefined : matchMarker(before, stream, start, context)
  }

  #namedAt(
    stream: TextStream,
    start: MarkerMatch,
    only: string | undefined,
  ): HeadMatch | "partial" | undefined {
    let isEmpty = false
    const found = this.#nameAt(
      stream,
      start.end,
      (name, at) => {
        const empty = this.#empty && matchMarker(this.#empty, stream, at, { name })
        isEmpty = empty !== undefined && empty !== "partial"
        return empty ?? matchMarker(this.#nameEnd, stream, at, { name })
      },
      only,
    )
    if (found === undefined || found === "partial") return found
    const head = { ...headOf(found.name, { ...start, ...found.match }), isEmpty }
    return { head, after: found.match.end }
  }

  /** The name of a tool that stands here with what must follow it. */
  #nameAt(
    stream: TextStream,
    from: number,
    follow: (name: string, at: number) => MarkerMatch | "partial" | undefined,
    only?: string,
  ): { readonly name: string; readonly match: MarkerMatch } | "partial" | undefined {
    const at = afterFewSpaces(stream.text, from)
    if (at === undefined) return undefined
    const seen = stream.text.slice(at, at + (this.#names[0]?.length ?? 0))
    for (const name of only === undefined ? this.#names : [only]) {
      const isCut = seen.length < name.length && name.startsWith(seen)
      if (isCut && !stream.isEnded) return "partial"
      if (!seen.startsWith(name)) continue
      const match = follow(name, at + name.length)
      if (match === "partial") return "partial"
      if (match !== undefined) return { name, match }
    }
    return undefined
  }

  *#argumentsFollow(stream: TextStream): Reading<boolean> {
    if (this.#tagged !== undefined) return yield* this.#tagged.isNext(stream)
    const next = afterFewSpaces(stream.text, stream.at)
    if (next === undefined) return false
    if (next === stream.text.length && (yield* more(stream))) return yield* this.#argumentsFollow(stream)
    return stream.text[next] === "{"
  }

  *#readArguments(stream: TextStream, schema: ArgumentSchema | undefined, sink: JsonSink): Reading<boolean> {
    const form = { symbols: this.#symbols }
    switch (this.#syntax.arguments.type) {
      case "json":
        return yield* readObject(stream, form, sink)
      case "json-text":
        return yield* readObjectInString(stream, form, sink)
      case "tagged":
        if (this.#tagged === undefined || schema === undefined) return false
        return yield* this.#tagged.read(stream, schema, sink)
      default:
        return this.#syntax.arguments satisfies never
    }
  }

  /** What follows the arguments; they are whole even if something else does. */
  *#readEnd(stream: TextStream, name: string): Reading<MarkerMatch | undefined> {
    if (!isVisible(this.#end)) return undefined
    const found = yield* lookAhead(this.#end, stream, { name })
    if (found !== undefined) stream.at = found.end
    else if (stream.isEnded) yield* this.#skipBeginning(stream)
    return found
  }

  /** An answer that ends within the marker has nothing else to say. */
  *#skipBeginning(stream: TextStream): Reading<void> {
    const rest = stream.text.slice(stream.at).trim()
    const [first] = this.#end
    if (first?.type === "text" && first.text.trim().startsWith(rest)) stream.at = stream.text.length
    yield* peek(stream)
  }
}

function headOf(name: string, { id, index }: Partial<MarkerMatch>): Omit<CallHead, "isEmpty"> {
  return { name, ...(id !== undefined && { id }), ...(index !== undefined && { index }) }
}
