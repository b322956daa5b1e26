import { TokenSymbols } from "../control-tokens"
import { more, peek, type Reading, spaces, TextStream } from "./text-stream"

/** Levels of values within each other. */
const MOST_LEVELS = 64

/** Characters of a number or word; longer ones are none. */
const LONGEST_WORD = 400

const WORDS: Readonly<Record<string, string>> = {
  true: "true",
  false: "false",
  null: "null",
  True: "true",
  False: "false",
  None: "null",
}

/** What a bare key cannot contain: a colon, a comma, braces. */
const KEY_ENDS: ReadonlySet<number> = new Set([0x3a, 0x2c, 0x7b, 0x7d])

const JSON_ESCAPES = '"\\/bfnrt'

const NO_SYMBOLS = new TokenSymbols([])

/** Receives JSON, piece by piece. */
export type JsonSink = (json: string) => void

export interface ValueForm {
  readonly symbols: TokenSymbols
  /** Strings stand between two of these; absent: between quotes. With symbols for tokens. */
  readonly quote?: string
}

/**
 * Reads one value and passes it on as JSON: JSON itself, literals of Python, or objects with bare keys. Models that were
 * trained on one of them at times write another.
 * @returns whether it was whole; otherwise the text stands where it could not go on
 */
export function* readValue(stream: TextStream, form: ValueForm, sink: JsonSink, level = 0): Reading<boolean> {
  yield* spaces(stream)
  const first = yield* peek(stream)
  if (form.quote !== undefined && first === form.quote[0]) return yield* readQuoted(stream, form, sink)
  switch (first) {
    case "{":
      return yield* readObject(stream, form, sink, level)
    case "[":
      return yield* readList(stream, form, sink, level, "]")
    case "(":
      return yield* readList(stream, form, sink, level, ")")
    case '"':
    case "'":
      return yield* readString(stream, form, sink)
    default:
      return yield* readWord(stream, sink)
  }
}

/** Reads one object. */
export function* readObject(
  stream: TextStream,
  form: ValueForm,
  sink: JsonSink,
  level = 0,
): Reading<boolean> {
  yield* spaces(stream)
  if ((yield* peek(stream)) !== "{" || level >= MOST_LEVELS) return false
  stream.at++
  sink("{")
  sink(yield* spaces(stream))
  if ((yield* peek(stream)) === "}") return closed(stream, sink, "}")
  for (;;) {
    if (!(yield* readKey(stream, form, sink))) return false
    sink(yield* spaces(stream))
    if ((yield* peek(stream)) !== ":") return false
    stream.at++
    sink(":")
    sink(yield* spaces(stream))
    if (!(yield* readValue(stream, form, sink, level + 1))) return false
    sink(yield* spaces(stream))
    const next = yield* peek(stream)
    if (next === "}") return closed(stream, sink, "}")
    if (next !== ",") return false
    stream.at++
    sink(",")
    sink(yield* spaces(stream))
  }
}

function* readList(
  stream: TextStream,
  form: ValueForm,
  sink: JsonSink,
  level: number,
  close: string,
): Reading<boolean> {
  if (level >= MOST_LEVELS) return false
  stream.at++
  sink("[")
  sink(yield* spaces(stream))
  if ((yield* peek(stream)) === close) return closed(stream, sink, "]")
  for (;;) {
    if (!(yield* readValue(stream, form, sink, level + 1))) return false
    sink(yield* spaces(stream))
    const next = yield* peek(stream)
    if (next === close) return closed(stream, sink, "]")
    if (next !== ",") return false
    stream.at++
    sink(",")
    sink(yield* spaces(stream))
  }
}

function closed(stream: TextStream, sink: JsonSink, close: string): true {
  stream.at++
  sink(close)
  return true
}

function* readKey(stream: TextStream, form: ValueForm, sink: JsonSink): Reading<boolean> {
  const first = yield* peek(stream)
  if (form.quote !== undefined && first === form.quote[0]) return yield* readQuoted(stream, form, sink)
  if (first === '"' || first === "'") return yield* readString(stream, form, sink)
  const key = (yield* readRun(stream, (code) => !KEY_ENDS.has(code)))?.trimEnd()
  if (key === undefined || key === "") return false
  sink(JSON.stringify(form.symbols.decode(key)))
  return true
}

function* readWord(stream: TextStream, sink: JsonSink): Reading<boolean> {
  const word = yield* readRun(stream, isWordCode)
  const json = word === undefined ? undefined : (WORDS[word] ?? numberIn(word))
  if (json !== undefined) sink(json)
  else stream.at -= word?.length ?? 0
  return json !== undefined
}

/** Characters up to the first that is no part; undefined if there are too many of them. */
function* readRun(stream: TextStream, isPart: (code: number) => boolean): Reading<string | undefined> {
  let length = 0
  for (;;) {
    while (stream.at + length < stream.text.length && isPart(stream.text.charCodeAt(stream.at + length)))
      length++
    if (length > LONGEST_WORD) return undefined
    if (stream.at + length < stream.text.length || !(yield* more(stream))) break
  }
  const run = stream.text.slice(stream.at, stream.at + length)
  stream.at += length
  return run
}

/** Letters, digits, and the signs of numbers. */
function isWordCode(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a) ||
    code === 0x2b ||
    code === 0x2d ||
    code === 0x2e ||
    code === 0x5f
  )
}

/** A number as JSON writes it; undefined for what is none. */
export function numberIn(word: string): string | undefined {
  if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(word)) return word
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(word)) return undefined
  const value = Number(word)
  return Number.isFinite(value) ? String(value) : undefined
}

/** A string between quotes. */
function* readString(stream: TextStream, form: ValueForm, sink: JsonSink): Reading<boolean> {
  const quote = stream.text[stream.at] ?? ""
  stream.at++
  sink('"')
  for (;;) {
    const end = endOfPlain(stream.text, stream.at, quote)
    if (end > stream.at) sink(escaped(stream.text.slice(stream.at, end), form.symbols))
    stream.at = end
    const next = yield* peek(stream)
    if (next === "") return false
    if (next === quote) {
      stream.at++
      sink('"')
      return true
    }
    if (next === "\\") {
      const json = yield* readEscape(stream)
      if (json === undefined) return false
      sink(json)
    }
  }
}

/** Where the text up to a quote or backslash ends. */
function endOfPlain(text: string, from: number, quote: string): number {
  const end = quote.charCodeAt(0)
  let at = from
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === end || code === 0x5c) break
  }
  return at
}

/** An escape, as JSON writes it; undefined if the text ends within it. */
function* readEscape(stream: TextStream): Reading<string | undefined> {
  while (stream.at + 1 >= stream.text.length) if (!(yield* more(stream))) return undefined
  const letter = stream.text[stream.at + 1] ?? ""
  if (letter === "u") {
    while (stream.at + 6 > stream.text.length) if (!(yield* more(stream))) return undefined
    const hex = stream.text.slice(stream.at + 2, stream.at + 6)
    if (/^[0-9a-fA-F]{4}$/.test(hex)) {
      stream.at += 6
      return `\\u${hex}`
    }
  } else if (JSON_ESCAPES.includes(letter)) {
    stream.at += 2
    return `\\${letter}`
  } else if (letter === "'") {
    stream.at += 2
    return letter
  }
  // No escape: the backslash stands for itself.
  stream.at++
  return "\\\\"
}

/** A string between two marks, without escapes. */
function* readQuoted(stream: TextStream, form: ValueForm, sink: JsonSink): Reading<boolean> {
  const quote = form.quote ?? ""
  while (stream.text.length - stream.at < quote.length) if (!(yield* more(stream))) return false
  if (!stream.text.startsWith(quote, stream.at)) return false
  stream.at += quote.length
  sink('"')
  const isWhole = yield* readUntil(stream, quote, (text) => sink(escaped(text, form.symbols)))
  if (isWhole) sink('"')
  return isWhole
}

/**
 * Passes on the text up to `mark`, and reads that as well. Only what may be the beginning of `mark` is held back.
 * @returns false if the text ended before
 */
export function* readUntil(stream: TextStream, mark: string, sink: (text: string) => void): Reading<boolean> {
  for (;;) {
    const found = stream.text.indexOf(mark, stream.at)
    const end =
      found >= 0
        ? found
        : stream.text.length - (stream.isEnded ? 0 : lengthOfBeginning(stream.text, stream.at, mark))
    if (end > stream.at) sink(stream.text.slice(stream.at, end))
    stream.at = found >= 0 ? end + mark.length : end
    if (found >= 0) return true
    if (!(yield* more(stream))) return false
  }
}

/** How many characters at the end of `text` may be the beginning of `mark`. */
function lengthOfBeginning(text: string, from: number, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length - from); length > 0; length--)
    if (text.endsWith(mark.slice(0, length))) return length
  return 0
}

/** The content of a JSON string. */
export function escaped(text: string, symbols: TokenSymbols): string {
  return JSON.stringify(symbols.decode(text)).slice(1, -1)
}

/** Reads a JSON object that is the content of a JSON string, up to the string's quote. */
export function* readObjectInString(stream: TextStream, form: ValueForm, sink: JsonSink): Reading<boolean> {
  const inner = new TextStream()
  let read = ""
  // Tokens are replaced before: escapes can spell their symbols.
  const reader = readObject(inner, { symbols: NO_SYMBOLS }, (json) => (read += json))
  let result = reader.next()
  for (;;) {
    if (stream.at >= stream.text.length || result.done === true) {
      sink(read)
      read = ""
    }
    if (result.done === true && !result.value) return false
    const next = yield* peek(stream)
    if (next === "" || next === '"') break
    // One character at a time: it is then known which of them could not be read.
    inner.append(form.symbols.decode((yield* readCharacter(stream)) ?? ""))
    if (result.done !== true) result = reader.next()
  }
  inner.isEnded = true
  if (result.done !== true) result = reader.next()
  sink(read)
  return result.done === true && result.value
}

/** A character of a JSON string, which an escape may stand for; undefined if the text ends within it. */
function* readCharacter(stream: TextStream): Reading<string | undefined> {
  if (stream.text[stream.at] !== "\\") {
    const character = String.fromCodePoint(stream.text.codePointAt(stream.at) ?? 0)
    stream.at += character.length
    return character
  }
  const json = yield* readEscape(stream)
  if (json === undefined) stream.at = stream.text.length
  return json === undefined ? undefined : (JSON.parse(`"${json}"`) as string)
}
