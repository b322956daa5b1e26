import { CONTROL_UNITS, type ResolvedMarker, textPattern, type UnitPattern } from "../markers"
import { MarkerSearch } from "./marker-search"
import { type OutputParser, PlainTextParser, type PartWriter } from "./parser"

/** Leaves out markers around the text of an answer, where it has them. */
export class TextMarkersParser implements OutputParser {
  readonly #start: UnitPattern
  readonly #end: MarkerSearch | undefined
  readonly #text = new PlainTextParser()
  #phase: "opening" | "text" | "ended"
  #matched = 0
  #held = ""

  constructor(markers: { readonly start: ResolvedMarker; readonly end: ResolvedMarker }) {
    this.#start = textPattern(markers.start)
    this.#end = markers.end.length === 0 ? undefined : new MarkerSearch(textPattern(markers.end))
    this.#phase = this.#start.units.length === 0 ? "text" : "opening"
  }

  push(text: string, parts: PartWriter): void {
    if (this.#phase === "opening") return this.#open(text, parts)
    if (this.#phase === "ended" || this.#end === undefined) return this.#write(text, parts)
    const { released, end } = this.#end.push(text)
    this.#write(released, parts)
    if (end === -1) return
    this.#phase = "ended"
    this.push(text.slice(end), parts)
  }

  control(token: number, name: string, parts: PartWriter): void {
    if (this.#phase === "opening") {
      this.#held += name
      if (this.#start.units[this.#matched] !== CONTROL_UNITS + token) return this.#begin(this.#held, parts)
      if (++this.#matched === this.#start.units.length) this.#begin("", parts)
    } else if (this.#phase === "ended" || this.#end === undefined) this.#write(name, parts)
    else {
      const { released, isEnd } = this.#end.control(token, name)
      this.#write(released, parts)
      if (isEnd) this.#phase = "ended"
    }
  }

  end(parts: PartWriter): void {
    this.#write(this.#held, parts)
    this.#write(this.#end?.end() ?? "", parts)
    this.#text.end(parts)
  }

  #open(text: string, parts: PartWriter): void {
    const { units } = this.#start
    for (let at = 0; at < text.length; at++) {
      if (this.#matched === 0 && text.charAt(at).trim() === "") continue
      if (text.charCodeAt(at) !== units[this.#matched]) return this.#begin(this.#held + text, parts)
      if (++this.#matched === units.length) return this.#begin(text.slice(at + 1), parts)
    }
    this.#held += text
  }

  #begin(text: string, parts: PartWriter): void {
    this.#phase = "text"
    this.#held = ""
    this.push(text, parts)
  }

  #write(text: string, parts: PartWriter): void {
    if (text !== "") this.#text.push(text, parts)
  }
}
