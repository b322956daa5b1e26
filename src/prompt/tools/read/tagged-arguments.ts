import type { JsonType } from "../../../grammar/notation"
import { ArgumentSchema } from "../argument-types"
import type { TokenSymbols } from "../control-tokens"
import type { Marker, TaggedArguments } from "../syntax"
import { isVisible, joinMarkers, lookAhead, marker, matchMarker } from "./marker-match"
import { readRawValue } from "./raw-values"
import { more, type Reading, type TextStream } from "./text-stream"
import { type JsonSink, readValue, type ValueForm } from "./values"

/** Characters of an argument's name; what is longer is none. */
const LONGEST_NAME = 256

/** Levels of values within each other. */
const MOST_LEVELS = 64

const ANY_TYPES: readonly JsonType[] = ["string", "number", "boolean", "null", "object", "array"]

interface NameEnd {
  readonly marker: Marker
  /** What the marker says about the value; undefined: nothing. */
  readonly types: ReadonlySet<JsonType> | undefined
}

/** Reads arguments of which each stands on its own, and passes them on as one JSON object. */
export class TaggedReader {
  readonly #syntax: TaggedArguments
  readonly #start: Marker
  readonly #separator: Marker
  readonly #valueEnd: Marker
  readonly #nameEnds: readonly NameEnd[]
  /** What follows the last argument. */
  readonly #end: Marker
  readonly #form: ValueForm
  readonly #wrap: { readonly start: string; readonly end: string } | undefined

  constructor(syntax: TaggedArguments, end: Marker, symbols: TokenSymbols) {
    const { values, stringWrap: wrap } = syntax
    const join = (...markers: Marker[]): Marker => joinMarkers(symbols, ...markers)
    this.#syntax = syntax
    this.#start = join(syntax.start)
    this.#separator = join(syntax.separator, syntax.start)
    this.#valueEnd = join(syntax.valueEnd)
    this.#nameEnds = nameEndsOf(syntax, join)
    this.#end = join(end)
    this.#form = { symbols, ...(values.type === "bare-keys" && { quote: symbols.encode(values.quote) }) }
    this.#wrap = wrap && { start: symbols.encode(wrap.start), end: symbols.encode(wrap.end) }
  }

  /** Does the text go on as arguments do, or as what follows a call without any? */
  *isNext(stream: TextStream): Reading<boolean> {
    if (isVisible(this.#start) && (yield* lookAhead(this.#start, stream)) !== undefined) return true
    if (!isVisible(this.#end) || (yield* lookAhead(this.#end, stream)) !== undefined) return true
    return !isVisible(this.#start)
  }

  /**
   * Reads the arguments, but not what follows them.
   * @returns whether they were whole
   */
  *read(stream: TextStream, schema: ArgumentSchema, sink: JsonSink): Reading<boolean> {
    let count = 0
    for (;;) {
      const begin = count === 0 ? this.#start : this.#separator
      if (!(yield* this.#goesOn(stream, begin))) break
      const name = yield* this.#readName(stream)
      if (name === undefined) return false
      sink(`${count === 0 ? "{" : ","}${JSON.stringify(name.text)}:`)
      count++
      if (!(yield* this.#readValue(stream, name, schema.member(name.text), sink, 0))) return false
    }
    if (isVisible(this.#end) && (yield* lookAhead(this.#end, stream)) === undefined) return false
    sink(count === 0 ? "{}" : "}")
    return true
  }

  /** Reads what stands before another argument; false: there is none. */
  *#goesOn(stream: TextStream, begin: Marker): Reading<boolean> {
    const end = isVisible(this.#end) ? yield* lookAhead(this.#end, stream) : undefined
    if (!isVisible(begin)) return end === undefined && isVisible(this.#end)
    const found = yield* lookAhead(begin, stream)
    // One may begin as the other does: the longer one is meant.
    if (found === undefined || (end !== undefined && end.end > found.end)) return false
    stream.at = found.end
    return true
  }

  /** Reads a name and what follows it; undefined if it has no end. */
  *#readName(stream: TextStream): Reading<{ readonly text: string; readonly end: NameEnd } | undefined> {
    let length = 0
    for (;;) {
      for (; stream.at + length < stream.text.length; length++) {
        if (length > LONGEST_NAME) return undefined
        const text = stream.text.slice(stream.at, stream.at + length).trim()
        const found = this.#nameEndAt(stream, stream.at + length, text)
        if (found === "partial") break
        if (found === undefined || text === "") continue
        stream.at = found.after
        return { text: this.#form.symbols.decode(text), end: found.end }
      }
      if (!(yield* more(stream))) return undefined
    }
  }

  #nameEndAt(
    stream: TextStream,
    at: number,
    argument: string,
  ): { readonly after: number; readonly end: NameEnd } | "partial" | undefined {
    let isPartial = false
    for (const end of this.#nameEnds) {
      const found = matchMarker(end.marker, stream, at, { argument })
      if (found === "partial") isPartial = true
      else if (found !== undefined && !isPartial) return { after: found.end, end }
    }
    return isPartial ? "partial" : undefined
  }

  *#readValue(
    stream: TextStream,
    name: { readonly text: string; readonly end: NameEnd },
    schema: ArgumentSchema,
    sink: JsonSink,
    level: number,
  ): Reading<boolean> {
    const context = { argument: name.text }
    if (level > MOST_LEVELS) return false
    if (this.#syntax.strings === "as-others") {
      if (!(yield* readValue(stream, this.#form, sink))) return false
      return !isVisible(this.#valueEnd) || (yield* marker(this.#valueEnd, stream, context)) !== undefined
    }
    const types = name.end.types ?? schema.types
    if (this.#syntax.values.type === "nested" && (yield* this.#isNested(stream, types))) {
      if (!(yield* this.#readNested(stream, name.text, schema, sink, level))) return false
      return (yield* marker(this.#valueEnd, stream, context)) !== undefined
    }
    const raw = {
      types,
      isString: (text: string) => schema.lists(text),
      end: this.#textOfEnd(name.text),
      form: this.#form,
    }
    return yield* readRawValue(stream, this.#wrap === undefined ? raw : { ...raw, wrap: this.#wrap }, sink)
  }

  /** What ends a raw value. Spaces after it are no part of it: the next marker is found after any. */
  #textOfEnd(argument: string): string {
    const text = this.#valueEnd
      .map((part) => (part.type === "text" ? part.text : part.type === "argument" ? argument : ""))
      .join("")
    return text.trimEnd() === "" ? text : text.trimEnd()
  }

  /** Does a value follow that has members of its own? Empty ones show only by their type. */
  *#isNested(stream: TextStream, types: ReadonlySet<JsonType>): Reading<boolean> {
    if (!types.has("object") && !types.has("array")) return false
    if ((yield* lookAhead(this.#start, stream)) !== undefined && !(yield* this.#isEnd(stream))) return true
    return !types.has("string") && (yield* this.#isEnd(stream))
  }

  /** A closing marker may begin as an opening one does. */
  *#isEnd(stream: TextStream): Reading<boolean> {
    const [first] = this.#valueEnd
    return (yield* lookAhead(first === undefined ? [] : [first], stream)) !== undefined
  }

  *#readNested(
    stream: TextStream,
    name: string,
    schema: ArgumentSchema,
    sink: JsonSink,
    level: number,
  ): Reading<boolean> {
    const { values } = this.#syntax
    const item = values.type === "nested" ? values.item : ""
    let isList: boolean | undefined = isListOnly(schema.types)
    let count = 0
    while (!(yield* this.#endsHere(stream, name))) {
      if ((yield* marker(this.#start, stream)) === undefined) return false
      const member = yield* this.#readName(stream)
      if (member === undefined) return false
      isList ??= member.text === item
      const key = isList ? "" : `${JSON.stringify(member.text)}:`
      sink(`${count > 0 ? "," : isList ? "[" : "{"}${key}`)
      count++
      const inner = isList ? schema.item : schema.member(member.text)
      if (!(yield* this.#readValue(stream, member, inner, sink, level + 1))) return false
    }
    isList ??= false
    sink(`${count === 0 ? (isList ? "[" : "{") : ""}${isList ? "]" : "}"}`)
    return true
  }

  *#endsHere(stream: TextStream, argument: string): Reading<boolean> {
    return (yield* lookAhead(this.#valueEnd, stream, { argument })) !== undefined
  }
}

function isListOnly(types: ReadonlySet<JsonType>): boolean | undefined {
  if (types.has("array") && !types.has("object")) return true
  return types.has("object") && !types.has("array") ? false : undefined
}

function nameEndsOf(syntax: TaggedArguments, join: (...markers: Marker[]) => Marker): readonly NameEnd[] {
  const { nameEndOf } = syntax
  if (nameEndOf === undefined) return [{ marker: join(syntax.nameEnd), types: undefined }]
  const byText = new Map<string, { marker: Marker; types: Set<JsonType> }>()
  for (const type of ANY_TYPES) {
    const each = join(nameEndOf[type] ?? syntax.nameEnd)
    const key = JSON.stringify(each)
    const known = byText.get(key) ?? { marker: each, types: new Set() }
    known.types.add(type)
    byText.set(key, known)
  }
  return [...byText.values()]
}
