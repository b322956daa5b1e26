import type { JsonType } from "../../../grammar/notation"
import { typeOf } from "../argument-types"
import { escaped, type JsonSink, numberIn, readUntil, readValue, type ValueForm } from "./values"
import { afterFewSpaces, more, type Reading, TextStream } from "./text-stream"

/** A value that stands as it is between two markers. */
export interface RawValue {
  /** What may stand here. */
  readonly types: ReadonlySet<JsonType>
  /** Is a text that looks like another value a string all the same? */
  isString(text: string): boolean
  /** What ends it. */
  readonly end: string
  readonly wrap?: { readonly start: string; readonly end: string }
  readonly form: ValueForm
}

const LITERALS: ReadonlySet<string> = new Set(["true", "false", "null", "True", "False", "None"])

/** Characters of a number; what is longer is a string. */
const LONGEST_NUMBER = 400

/**
 * Reads a raw value and its end. Strings go out as they come; what may be another value is held back until it is known,
 * apart from objects and lists where no string may stand.
 * @returns whether it was whole
 */
export function* readRawValue(stream: TextStream, value: RawValue, sink: JsonSink): Reading<boolean> {
  const { types, form } = value
  if (value.wrap !== undefined && (yield* startsWith(stream, value.wrap.start)))
    return yield* readWrapped(stream, value.wrap, value.end, form, sink)
  if (!types.has("string")) {
    const first = yield* firstVisible(stream)
    if (first === "{" || first === "[") return yield* readStructure(stream, value, sink)
  }
  const writer = new RawWriter(value, sink)
  const isWhole = yield* readUntil(stream, value.end, (text) => writer.push(text))
  writer.end(isWhole)
  return isWhole
}

/** What begins with this text: is it there? Reads it then. */
function* startsWith(stream: TextStream, start: string): Reading<boolean> {
  for (;;) {
    const seen = stream.text.slice(stream.at, stream.at + start.length)
    if (seen === start) {
      stream.at += start.length
      return true
    }
    if (!start.startsWith(seen) || !(yield* more(stream))) return false
  }
}

function* readWrapped(
  stream: TextStream,
  wrap: { readonly end: string },
  end: string,
  form: ValueForm,
  sink: JsonSink,
): Reading<boolean> {
  sink('"')
  if (!(yield* readUntil(stream, wrap.end, (text) => sink(escaped(text, form.symbols))))) return false
  sink('"')
  return yield* readUntil(stream, end, () => undefined)
}

/** The first character that is no space; reads nothing. */
function* firstVisible(stream: TextStream): Reading<string> {
  for (;;) {
    const at = afterFewSpaces(stream.text, stream.at)
    if (at === undefined) return ""
    if (at < stream.text.length) return stream.text[at] ?? ""
    if (!(yield* more(stream))) return ""
  }
}

function* readStructure(stream: TextStream, { form, end }: RawValue, sink: JsonSink): Reading<boolean> {
  if (!(yield* readValue(stream, form, sink))) return false
  // Only spaces can stand before the end.
  let isClean = true
  const isWhole = yield* readUntil(stream, end, (text) => (isClean &&= text.trim() === ""))
  return isWhole && isClean
}

/** Decides, while a raw value comes, what it is. */
class RawWriter {
  readonly #value: RawValue
  readonly #sink: JsonSink
  /** Text that may be another value than a string. */
  #held: string[] = []
  #heldLength = 0
  #kind: "open" | "structure" | "string" = "open"

  constructor(value: RawValue, sink: JsonSink) {
    this.#value = value
    this.#sink = sink
    if (isOnlyString(value.types)) this.#becomeString()
  }

  push(text: string): void {
    if (this.#kind === "string") return this.#write(text)
    this.#held.push(text)
    this.#heldLength += text.length
    if (this.#kind === "structure") return
    const start = this.#held.join("")
    if (this.#mayBeStructure(start.trimStart())) this.#kind = "structure"
    else if (!mayBeScalar(start)) this.#becomeString()
  }

  end(isWhole: boolean): void {
    if (this.#kind === "string") {
      if (isWhole) this.#sink('"')
      return
    }
    const text = this.#held.join("")
    const json = this.#kind === "structure" ? this.#structureIn(text, isWhole) : this.#scalarIn(text)
    if (json !== undefined) return this.#sink(json)
    if (!isWhole && !this.#value.types.has("string")) return
    this.#becomeString()
    if (isWhole) this.#sink('"')
  }

  #becomeString(): void {
    this.#kind = "string"
    this.#sink('"')
    for (const text of this.#held) this.#write(text)
    this.#held = []
  }

  #write(text: string): void {
    this.#sink(escaped(text, this.#value.form.symbols))
  }

  #mayBeStructure(text: string): boolean {
    const { types } = this.#value
    return (text.startsWith("{") && types.has("object")) || (text.startsWith("[") && types.has("array"))
  }

  /** Of a value that was cut: as far as it came. */
  #structureIn(text: string, isWhole: boolean): string | undefined {
    const stream = new TextStream()
    stream.append(text)
    stream.isEnded = true
    const pieces: string[] = []
    const result = readValue(stream, this.#value.form, (json) => pieces.push(json)).next()
    const isValue = result.done === true && result.value && stream.text.slice(stream.at).trim() === ""
    return isValue || (!isWhole && stream.at === stream.text.length) ? pieces.join("") : undefined
  }

  #scalarIn(text: string): string | undefined {
    const word = text.trim()
    if (this.#value.isString(text)) return undefined
    const json = LITERALS.has(word) ? word.toLowerCase().replace("none", "null") : numberIn(word)
    if (json === undefined) return undefined
    // Where strings are not allowed, a value of the wrong type is still nearer than a string.
    const { types } = this.#value
    return types.has(typeOf(JSON.parse(json))) || !types.has("string") ? json : undefined
  }
}

function isOnlyString(types: ReadonlySet<JsonType>): boolean {
  return types.size === 1 && types.has("string")
}

/** Can a text that begins like this be a number or a literal? */
function mayBeScalar(text: string): boolean {
  if (text.length > LONGEST_NUMBER) return false
  const word = text.trim()
  return /^[+-]?[\d.eE+-]*$/.test(word) || [...LITERALS].some((literal) => literal.startsWith(word))
}
