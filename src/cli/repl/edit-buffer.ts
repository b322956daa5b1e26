/** Longer than the characters of any script, and than any emoji in use. */
const LONGEST_CHARACTER = 64

const segmenter = new Intl.Segmenter()

/** A text being edited, with its cursor. It may have several lines. */
export class EditBuffer {
  #text = ""
  #cursor = 0
  /** The last deletion of a word or more. */
  #killed = ""

  get text(): string {
    return this.#text
  }

  /** Always between user-perceived characters. */
  get cursor(): number {
    return this.#cursor
  }

  /** @param cursor default: the end */
  set(text: string, cursor = text.length): void {
    this.#text = text
    this.#cursor = cursor
  }

  insert(text: string): void {
    this.#replace(this.#cursor, this.#cursor, text)
  }

  backspace(): void {
    this.#replace(this.#before(), this.#cursor)
  }

  delete(): void {
    this.#replace(this.#cursor, this.#behind())
  }

  left(): void {
    this.#cursor = this.#before()
  }

  right(): void {
    this.#cursor = this.#behind()
  }

  wordLeft(): void {
    this.#cursor = this.#wordBefore()
  }

  wordRight(): void {
    const match = /^[^\p{L}\p{N}]*[\p{L}\p{N}]*/u.exec(this.#text.slice(this.#cursor))
    this.#cursor += match?.[0].length ?? 0
  }

  /** Moves to the beginning of the current line. */
  home(): void {
    this.#cursor = this.#lineStart
  }

  end(): void {
    this.#cursor = this.#lineEnd
  }

  killToEnd(): void {
    // At the end of a line, deletes the line break, as in other editors.
    this.#kill(this.#cursor, this.#cursor === this.#lineEnd ? this.#behind() : this.#lineEnd)
  }

  killToStart(): void {
    this.#kill(this.#cursor === this.#lineStart ? this.#before() : this.#lineStart, this.#cursor)
  }

  killWord(): void {
    const before = this.#text.slice(0, this.#cursor)
    this.#kill(this.#cursor - (/\S*\s*$/.exec(before)?.[0].length ?? 0), this.#cursor)
  }

  yank(): void {
    this.insert(this.#killed)
  }

  /** Moves up one line, keeping the column if that line is long enough. @returns false on the first line */
  up(): boolean {
    if (this.#lineStart === 0) return false
    const column = this.#cursor - this.#lineStart
    const end = this.#lineStart - 1
    const start = this.#text.lastIndexOf("\n", end - 1) + 1
    this.#cursor = this.#boundary(Math.min(start + column, end))
    return true
  }

  down(): boolean {
    if (this.#lineEnd === this.#text.length) return false
    const column = this.#cursor - this.#lineStart
    const start = this.#lineEnd + 1
    const end = this.#text.indexOf("\n", start)
    this.#cursor = this.#boundary(Math.min(start + column, end === -1 ? this.#text.length : end))
    return true
  }

  #replace(from: number, to: number, text = ""): void {
    this.#text = this.#text.slice(0, from) + text + this.#text.slice(to)
    this.#cursor = from + text.length
  }

  #kill(from: number, to: number): void {
    if (from === to) return
    this.#killed = this.#text.slice(from, to)
    this.#replace(from, to)
  }

  get #lineStart(): number {
    return this.#cursor === 0 ? 0 : this.#text.lastIndexOf("\n", this.#cursor - 1) + 1
  }

  get #lineEnd(): number {
    const end = this.#text.indexOf("\n", this.#cursor)
    return end === -1 ? this.#text.length : end
  }

  #before(): number {
    const near = this.#text.slice(Math.max(0, this.#cursor - LONGEST_CHARACTER), this.#cursor)
    const last = [...segmenter.segment(near)].at(-1)
    return this.#cursor - (last?.segment.length ?? 0)
  }

  #behind(): number {
    const near = this.#text.slice(this.#cursor, this.#cursor + LONGEST_CHARACTER)
    const [first] = segmenter.segment(near)
    return this.#cursor + (first?.segment.length ?? 0)
  }

  #wordBefore(): number {
    const match = /[\p{L}\p{N}]*[^\p{L}\p{N}]*$/u.exec(this.#text.slice(0, this.#cursor))
    return this.#cursor - (match?.[0].length ?? 0)
  }

  /** The nearest character boundary before `at`. */
  #boundary(at: number): number {
    const start = this.#text.lastIndexOf("\n", at - 1) + 1
    let place = start
    for (const { segment } of segmenter.segment(this.#text.slice(start, at + LONGEST_CHARACTER))) {
      if (place + segment.length > at) break
      place += segment.length
    }
    return Math.min(place, at)
  }
}
