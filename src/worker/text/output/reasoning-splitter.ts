import { CONTROL_UNITS, type ResolvedMarker, textPattern, type UnitPattern } from "../markers"
import { MarkerSearch } from "./marker-search"
import type { OutputParser, PartWriter } from "./parser"

export interface SplitterParts {
  readonly start: ResolvedMarker
  readonly end: ResolvedMarker
  /** The prompt has begun the thinking. */
  readonly isOpen: boolean
  /** Leave the thinking in the text, with its markers. */
  readonly isInline: boolean
  /** The texts of the markers, where they stay in the text. */
  readonly names: { readonly start: string; readonly end: string }
  /** Takes what follows the thinking. */
  readonly answer: OutputParser
}

/** Something held back. */
type Held = { readonly text: string; readonly token?: number }

/**
 * Divides an answer into what the model thinks and what it says. Thinking can only come first. Blanks around it belong
 * to neither.
 */
export class ReasoningSplitter implements OutputParser {
  readonly #parts: SplitterParts
  readonly #start: UnitPattern
  readonly #end: MarkerSearch
  #phase: "opening" | "thinking" | "gap" | "answer"
  /** How much of the start marker is matched, and what holds it, with the blanks before it. */
  #matched = 0
  #held: Held[] = []
  /** Has the thinking any text yet? */
  #hasStarted = false
  /** Blanks that end the thinking, if it ends there. */
  #blanks = ""

  constructor(parts: SplitterParts) {
    this.#parts = parts
    this.#start = textPattern(parts.start)
    this.#end = new MarkerSearch(textPattern(parts.end))
    this.#phase = parts.isOpen ? "thinking" : "opening"
    if (parts.isOpen && parts.isInline) this.#blanks = `${parts.names.start}\n`
  }

  get isThinking(): boolean {
    return this.#phase === "thinking"
  }

  push(text: string, parts: PartWriter): void {
    switch (this.#phase) {
      case "opening":
        return this.#open(text, parts)
      case "thinking":
        return this.#think(text, parts)
      case "gap":
        return this.#reply(text, parts)
      case "answer":
        return this.#parts.answer.push(text, parts)
    }
  }

  control(token: number, name: string, parts: PartWriter): void {
    switch (this.#phase) {
      case "opening":
        this.#held.push({ text: name, token })
        if (this.#start.units[this.#matched] !== CONTROL_UNITS + token) return this.#isAnswer(parts)
        if (++this.#matched === this.#start.units.length) this.#begin(parts)
        return
      case "thinking": {
        const { released, isEnd } = this.#end.control(token, name)
        this.#write(released, parts)
        if (isEnd) this.#finish(parts)
        return
      }
      default:
        this.#phase = "answer"
        return this.#parts.answer.control(token, name, parts)
    }
  }

  end(parts: PartWriter): void {
    if (this.#phase === "opening") this.#isAnswer(parts)
    if (this.#phase === "thinking") {
      this.#write(this.#end.end(), parts)
      if (this.#hasStarted) parts.end()
    }
    this.#parts.answer.end(parts)
  }

  #open(text: string, parts: PartWriter): void {
    const { units } = this.#start
    for (let at = 0; at < text.length; at++) {
      if (this.#matched === 0 && isBlank(text.charAt(at))) continue
      if (text.charCodeAt(at) !== units[this.#matched]) {
        this.#held.push({ text })
        return this.#isAnswer(parts)
      }
      if (++this.#matched < units.length) continue
      this.#begin(parts)
      return this.push(text.slice(at + 1), parts)
    }
    this.#held.push({ text })
  }

  /** The answer begins without thinking. */
  #isAnswer(parts: PartWriter): void {
    this.#phase = "answer"
    for (const { text, token } of this.#held)
      if (token === undefined) this.#parts.answer.push(text, parts)
      else this.#parts.answer.control(token, text, parts)
    this.#held = []
  }

  #begin(parts: PartWriter): void {
    this.#phase = "thinking"
    this.#held = []
    if (this.#parts.isInline) this.#write(this.#parts.names.start, parts)
  }

  #think(text: string, parts: PartWriter): void {
    const { released, end } = this.#end.push(text)
    this.#write(released, parts)
    if (end === -1) return
    this.#finish(parts)
    if (end < text.length) this.push(text.slice(end), parts)
  }

  #finish(parts: PartWriter): void {
    if (this.#parts.isInline) this.#write(this.#parts.names.end, parts)
    if (this.#hasStarted) parts.end()
    this.#phase = this.#parts.isInline ? "answer" : "gap"
  }

  #write(text: string, parts: PartWriter): void {
    const { isInline } = this.#parts
    const whole = this.#blanks + text
    const shown = isInline ? whole : this.#hasStarted ? whole : whole.trimStart()
    const length = isInline ? shown.length : shown.trimEnd().length
    this.#blanks = isInline ? "" : shown.slice(length)
    if (length === 0) return
    if (!this.#hasStarted) parts.start({ part: isInline ? "text" : "reasoning" })
    this.#hasStarted = true
    parts.text(shown.slice(0, length))
  }

  #reply(text: string, parts: PartWriter): void {
    const said = text.trimStart()
    if (said === "") return
    this.#phase = "answer"
    this.#parts.answer.push(said, parts)
  }
}

function isBlank(character: string): boolean {
  return character.trim() === ""
}
