import type { WordWrap } from "./word-wrap"

const GREY = "\x1b[90m"
const PLAIN = "\x1b[0m"

export interface ThinkingOptions {
  readonly write: (text: string) => void
  /** Absent: no wrapping. */
  readonly wrap?: WordWrap | undefined
  readonly hasColors: boolean
}

/** What a model thinks, on a terminal: grey, between two lines that say what it is. */
export class Thinking {
  readonly #write: (text: string) => void
  readonly #wrap: WordWrap | undefined
  readonly #hasColors: boolean
  #isOpen = false
  /** Blanks that are shown only if more follows. */
  #blanks = ""

  constructor({ write, wrap, hasColors }: ThinkingOptions) {
    this.#write = write
    this.#wrap = wrap
    this.#hasColors = hasColors
  }

  /** Shows more of it. */
  add(text: string): void {
    const more = this.#blanks + text
    const shown = more.trimEnd()
    this.#blanks = more.slice(shown.length)
    if (shown === "") return
    if (this.#isOpen) return this.#put(shown)
    this.#isOpen = true
    if (this.#hasColors) this.#write(GREY)
    this.#put(`Thinking...\n${shown.trimStart()}`)
  }

  /** The answer follows. */
  end(): void {
    if (!this.#isOpen) return
    this.#put("\n...done thinking.\n\n")
    this.#close()
  }

  /** No answer follows: whatever is written next starts on its own line. */
  breakOff(): void {
    if (!this.#isOpen) return
    this.#put("\n")
    this.#close()
  }

  #close(): void {
    if (this.#hasColors) this.#write(PLAIN)
    this.#isOpen = false
    this.#blanks = ""
  }

  #put(text: string): void {
    this.#write(this.#wrap?.add(text) ?? text)
  }
}
