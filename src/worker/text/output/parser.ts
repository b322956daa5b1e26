import type { PartStart } from "../../../domain/chat"

/** Receives the parts of an answer. Parts follow one another: each ends before the next one starts. */
export interface PartWriter {
  start(part: PartStart): void
  /** More text of the current part. */
  text(text: string): void
  end(): void
}

/** Divides the text of one answer into parts. */
export interface OutputParser {
  /** Takes the next text. May hold it back until it is known what it belongs to. */
  push(text: string, parts: PartWriter): void
  /** Takes a control token that is, or is part of, a marker. `name`: its text, where it is no marker after all. */
  control(token: number, name: string, parts: PartWriter): void
  /** The answer is complete: writes what was held back, and ends the current part. */
  end(parts: PartWriter): void
}

/** Everything is text. */
export class PlainTextParser implements OutputParser {
  #hasStarted = false

  push(text: string, parts: PartWriter): void {
    if (!this.#hasStarted) parts.start({ part: "text" })
    this.#hasStarted = true
    parts.text(text)
  }

  control(_token: number, name: string, parts: PartWriter): void {
    if (name !== "") this.push(name, parts)
  }

  end(parts: PartWriter): void {
    if (this.#hasStarted) parts.end()
  }
}
