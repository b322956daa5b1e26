import type { Io } from "./io"

const segmenter = new Intl.Segmenter()
const TAB_STOP = 8
const FENCE = /^\s*(```|~~~)/

/**
 * Breaks the lines of a text between words while it comes: a word that turns out not to fit is taken away and written on
 * the next line. Code between fences is left to the terminal, where it can be copied as it is.
 */
export class WordWrap {
  readonly #columns: () => number
  /** Where the cursor is. */
  #column = 0
  /** What of the last word is on the screen. */
  #word = ""
  #wordWidth = 0
  /** The beginning of the line as the text has it. */
  #lineStart = ""
  #isCode = false

  /** @param columns of the terminal, which may change */
  constructor(columns: () => number) {
    this.#columns = columns
  }

  /** What is to be written for more of the text. */
  add(text: string): string {
    let out = ""
    for (const { segment } of segmenter.segment(text)) out += this.#put(segment)
    return out
  }

  #put(cell: string): string {
    if (cell === "\n" || cell === "\r\n") return this.#endLine(cell)
    if (this.#lineStart.length < 80) this.#lineStart += cell
    if (this.#isCode) return cell
    // The last column stays free: behind it terminals do not agree where the cursor is.
    const limit = Math.max(2, this.#columns() - 1)
    if (cell === " " || cell === "\t") return this.#putSpace(cell, limit)
    const width = Bun.stringWidth(cell)
    // Between wide characters a line may be broken anywhere.
    if (width > 1) this.#startWord()
    const out = this.#column + width > limit ? this.#nextLine() : ""
    this.#column += width
    this.#word += cell
    this.#wordWidth += width
    return out + cell
  }

  #putSpace(cell: string, limit: number): string {
    this.#startWord()
    const width = cell === "\t" ? TAB_STOP - (this.#column % TAB_STOP) : 1
    if (this.#column + width <= limit) {
      this.#column += width
      return cell
    }
    this.#column = 0
    return "\n"
  }

  /** Takes the last word along, unless it began the line. */
  #nextLine(): string {
    const isWhole = this.#wordWidth === this.#column
    const word = isWhole ? "" : this.#word
    const width = isWhole ? 0 : this.#wordWidth
    this.#startWord()
    this.#word = word
    this.#column = this.#wordWidth = width
    return `${width === 0 ? "" : `\x1b[${width}D\x1b[K`}\n${word}`
  }

  #endLine(cell: string): string {
    if (FENCE.test(this.#lineStart)) this.#isCode = !this.#isCode
    this.#lineStart = ""
    this.#column = 0
    this.#startWord()
    return cell
  }

  #startWord(): void {
    this.#word = ""
    this.#wordWidth = 0
  }
}

/** For an answer on a terminal; `undefined` where there is none, or nobody wants it. */
export function wordWrapFor(io: Pick<Io, "columns">, isWanted: boolean): WordWrap | undefined {
  return isWanted && io.columns !== undefined ? new WordWrap(() => io.columns ?? 80) : undefined
}
