/** Lines, and characters of each, that are kept. */
const LINES = 500
const LINE_CHARACTERS = 2000

/** The newest lines of a log, in memory, for those who may see it. */
export class LogTail {
  readonly #lines: string[] = []

  /** Oldest first, without line ends. */
  get lines(): readonly string[] {
    return [...this.#lines]
  }

  /** `line`: with its line end. */
  add(line: string): void {
    const text = line.trimEnd()
    this.#lines.push(text.length > LINE_CHARACTERS ? `${text.slice(0, LINE_CHARACTERS)}…` : text)
    if (this.#lines.length > LINES) this.#lines.shift()
  }
}
