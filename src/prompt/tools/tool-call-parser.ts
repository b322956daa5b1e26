import type { Tool } from "../../domain/tools"
import { ArgumentSchema } from "./argument-types"
import { CallIds, type EarlierCalls, NO_EARLIER_CALLS } from "./call-ids"
import { type ControlToken, TokenSymbols } from "./control-tokens"
import { type CallHead, CallReader } from "./read/call-reader"
import { LiteralSearch } from "./read/literal-search"
import { isVisible, joinMarkers, marker } from "./read/marker-match"
import { isSpace, more, type Reading, spaces, TextStream } from "./read/text-stream"
import { type Marker, type ToolSyntax, triggersOf } from "./syntax"

/** Receives what an answer says, in its order. */
export interface ToolCallSink {
  /** Text beside calls. */
  text(text: string): void
  startCall(call: { readonly id: string; readonly name: string }): void
  /** The next piece of the call's arguments: all pieces together are one JSON object, unless the call is cut. */
  argumentsText(json: string): void
  endCall(end: EndOfCall): void
}

export interface EndOfCall {
  /** False: the answer ended within the call, or went on as no call does. */
  readonly isWhole: boolean
  /** The id that the model wrote, wherever it did. */
  readonly writtenId?: string
}

export interface ToolCallParserOptions {
  readonly syntax: ToolSyntax
  /** Those that may be called. */
  readonly tools: readonly Tool[]
  readonly sink: ToolCallSink
  /** Tokens in the markers: only these count as markers then, not their texts. Absent: all markers are text. */
  readonly controlTokens?: readonly ControlToken[]
  readonly earlier?: EarlierCalls
}

/** Spaces before a call that are no part of the text before it; longer runs are. */
const MOST_SPACES = 8

/**
 * Divides an answer into text and calls, while it comes. Takes time in proportion to its length, and holds back only what
 * may be a marker or the name of a tool. What cannot be read as a call is text: no answer is an error.
 */
export class ToolCallParser {
  readonly #stream = new TextStream()
  readonly #symbols: TokenSymbols
  readonly #sink: ToolCallSink
  readonly #syntax: ToolSyntax
  readonly #ids: CallIds
  readonly #variants: readonly CallVariant[]
  readonly #search: LiteralSearch
  /** Markers around text, which are left out of it. */
  readonly #wrappers: ReadonlySet<string>
  readonly #sectionEnd: Marker
  readonly #reading: Reading<void>
  #isInSection = false
  /** Half of a character whose other half has not come yet. */
  #half = ""

  constructor({
    syntax,
    tools,
    sink,
    controlTokens = [],
    earlier = NO_EARLIER_CALLS,
  }: ToolCallParserOptions) {
    const symbols = new TokenSymbols(controlTokens)
    const schemas = new Map(tools.map(({ name, parameters }) => [name, ArgumentSchema.of(parameters)]))
    const { text, isOpened } = syntax
    this.#symbols = symbols
    this.#sink = sink
    this.#syntax = syntax
    this.#ids = new CallIds(syntax.idForm, earlier)
    this.#variants = [syntax.call, ...(syntax.variants ?? [])].map((call) => ({
      reader: new CallReader(call, schemas, symbols),
      first: joinMarkers(symbols, syntax.sectionStart, call.start),
      further: joinMarkers(symbols, syntax.separator, call.start),
    }))
    const wrappers = [text?.start, text?.end, ...(syntax.dropped ?? [])]
    this.#wrappers = new Set(wrappers.flatMap((each) => (each ? [symbols.encode(each)] : [])))
    const triggers = isOpened === true ? [] : triggersOf(syntax).map((each) => symbols.encode(each))
    this.#search = new LiteralSearch([...triggers, ...this.#wrappers])
    this.#sectionEnd = joinMarkers(symbols, syntax.sectionEnd)
    this.#reading = this.#answer()
    this.#reading.next()
  }

  /** Is the text that comes next part of a call, or of what stands between calls? */
  get isInCalls(): boolean {
    return this.#isInSection
  }

  push(text: string): void {
    const whole = this.#half + text
    const last = whole.charCodeAt(whole.length - 1)
    const isCut = last >= 0xd800 && last <= 0xdbff
    this.#half = isCut ? whole.slice(-1) : ""
    this.#append((isCut ? whole.slice(0, -1) : whole).toWellFormed())
  }

  /** Takes a control token; false: it is part of no marker, and not taken. */
  token(id: number): boolean {
    const symbol = this.#symbols.of(id)
    if (symbol !== undefined) this.#append(symbol)
    return symbol !== undefined
  }

  /** The answer is complete: gives out what was held back. */
  end(): void {
    this.#append(this.#half.toWellFormed())
    this.#stream.isEnded = true
    this.#reading.next()
  }

  #append(text: string): void {
    if (text === "") return
    this.#stream.append(text)
    this.#reading.next()
  }

  *#answer(): Reading<void> {
    const { text, isOpened } = this.#syntax
    if (isOpened === true) {
      const start = text === undefined ? "" : this.#symbols.encode(text.start)
      const isText =
        start !== "" && (yield* marker([{ type: "text", text: start }], this.#stream)) !== undefined
      if (!isText) yield* this.#section()
    }
    for (;;) {
      const found = yield* this.#text()
      if (found === undefined) return
      yield* this.#section(found)
    }
  }

  /** Passes on text up to a section; undefined: the answer has ended. Otherwise the spaces before the section. */
  *#text(): Reading<string | undefined> {
    const stream = this.#stream
    let searched = stream.at
    for (;;) {
      const found = this.#search.find(stream.text, searched, stream.isEnded)
      const end = found?.at ?? stream.text.length
      const kept = stream.isEnded && found === undefined ? end : this.#beforeSpaces(end)
      this.#write(kept)
      if (found?.literal === undefined) {
        if (!(yield* more(stream))) return undefined
        searched = stream.at
        continue
      }
      const isWrapper = this.#wrappers.has(found.literal)
      const before = stream.text.slice(stream.at, end)
      stream.at = end
      if (isWrapper) stream.at += found.literal.length
      if (!isWrapper) return before
      // What begins a section here is text if no call follows.
      if (this.#syntax.isOpened === true && this.#endsText(found.literal)) return before + found.literal
      this.#emit(before)
      searched = stream.at
    }
  }

  /** Where the spaces before `end` begin that may belong to a marker. */
  #beforeSpaces(end: number): number {
    const { text, at } = this.#stream
    let start = end
    while (start > at && end - start < MOST_SPACES && isSpace(text.charCodeAt(start - 1))) start--
    return start
  }

  #endsText(literal: string): boolean {
    return literal === this.#symbols.encode(this.#syntax.text?.end ?? "")
  }

  #write(to: number): void {
    if (to <= this.#stream.at) return
    this.#emit(this.#stream.text.slice(this.#stream.at, to))
    this.#stream.at = to
  }

  #emit(text: string): void {
    if (text !== "") this.#sink.text(this.#symbols.decode(text))
  }

  /** Reads calls; text that only begins as one does is passed on, after `before`. */
  *#section(before = ""): Reading<void> {
    if (yield* this.#call("first")) {
      this.#isInSection = true
      while (!(yield* this.#endsSection()) && (yield* this.#call("further")));
      this.#isInSection = false
      yield* spaces(this.#stream)
      return
    }
    this.#emit(before)
    // Its first character is text; what follows is searched again.
    if (this.#syntax.isOpened !== true) this.#write(Math.min(this.#stream.at + 1, this.#stream.text.length))
  }

  /** Reads the end of the section; true: no call follows. */
  *#endsSection(): Reading<boolean> {
    const stream = this.#stream
    const isVisibleEnd = isVisible(this.#sectionEnd)
    if (isVisibleEnd && (yield* marker(this.#sectionEnd, stream)) !== undefined) return true
    if (!stream.isEnded) return false
    // An answer that ends within the marker has nothing else to say.
    const [first] = this.#sectionEnd
    const rest = stream.text.slice(stream.at).trim()
    const isCut = rest === "" || (first?.type === "text" && first.text.trim().startsWith(rest))
    if (isCut) stream.at = stream.text.length
    return isCut
  }

  /** Reads one call, if one comes next. */
  *#call(place: "first" | "further"): Reading<boolean> {
    const stream = this.#stream
    for (const variant of this.#variants) {
      stream.keep()
      if (yield* this.#callOf(variant.reader, variant[place])) return true
      stream.back()
    }
    stream.forget()
    return false
  }

  *#callOf(reader: CallReader, before: Marker): Reading<boolean> {
    const stream = this.#stream
    if (reader.isNameLast) {
      const call = yield* reader.wholeWithNameLast(stream, before)
      if (call === undefined) return false
      stream.forget()
      this.#start(call.head)
      this.#sink.argumentsText(call.json)
      this.#sink.endCall({ isWhole: true, ...written(call.head.id) })
      return true
    }
    const head = yield* reader.head(stream, before)
    if (head === undefined) return false
    stream.forget()
    this.#start(head)
    this.#isInSection = true
    const { isWhole, id } = yield* reader.rest(stream, head, (json) => {
      if (json !== "") this.#sink.argumentsText(json)
    })
    // Of a call that was cut off, the rest is no text.
    if (!isWhole && stream.isEnded) stream.at = stream.text.length
    this.#sink.endCall({ isWhole, ...written(id ?? head.id) })
    return true
  }

  #start(head: CallHead): void {
    this.#sink.startCall({ id: this.#ids.next(head.name, head), name: head.name })
  }
}

interface CallVariant {
  readonly reader: CallReader
  /** What stands before the first call, and before each further one. */
  readonly first: Marker
  readonly further: Marker
}

function written(id: string | undefined): { readonly writtenId?: string } {
  return id === undefined ? {} : { writtenId: id }
}
