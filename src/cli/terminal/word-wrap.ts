import type { Io } from "./io"

const segmenter = new Intl.Segmenter()
const TAB_STOP = 8
const FENCE = /^\s*(```|~~~)/

/**
 * Wraps streamed text between words: a word that turns out not to fit is erased and rewritten on the next line.
 * Fenced code is not wrapped, so that it can be copied.
 */
export class WordWrap {
  readonly #columns: () => number
  /** The cursor's column. */
  #column = 0
  /** The part of the last word already on the screen. */
  #word = ""
  #wordWidth = 0
  /** The beginning of the source line. */
  #lineStart = ""
  #isCode = false

  /** @param columns the terminal's width, which may change */
  constructor(columns: () => number) {
    this.#columns = columns
  }

  /** Returns the output for more text. */
  add(text: string): string {
    let out = ""
    for (const { segment } of segmenter.segment(text)) out += this.#put(segment)
    return out
  }

  #put(cell: string): string {
    if (cell === "\n" || cell === "\r\n") return this.#endLine(cell)
    if (this.#lineStart.length < 80) this.#lineStart += cell
    if (this.#isCode) return cell
    // The last column stays free: terminals disagree about the cursor's position after it.
    const limit = Math.max(2, this.#columns() - 1)
    if (cell === " " || cell === "\t") return this.#putSpace(cell, limit)
    const width = Bun.stringWidth(cell)
    // A line may be broken between any two wide characters.
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

  /** Moves the last word to the next line, unless it started the current one. */
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

/** The wrapping for answers on a terminal; `undefined` if there is no terminal or it is not wanted. */
export function wordWrapFor(io: Pick<Io, "columns">, isWanted: boolean): WordWrap | undefined {
  return isWanted && io.columns !== undefined ? new WordWrap(() => io.columns ?? 80) : undefined
}
