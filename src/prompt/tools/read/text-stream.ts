/**
 * Text that comes in pieces. Its readers are generators: they `yield` where they need more of it, and go on when some has
 * come, so that they read as if all of it were there.
 */
export class TextStream {
  text = ""
  /** What stands before it has been read. */
  at = 0
  /** Nothing comes any more. */
  isEnded = false
  /** Readers may return: the text that was read since then and is gone, and where the rest of it begins. */
  #kept: { readonly read: string[]; from: number } | undefined

  append(text: string): void {
    if (this.#kept !== undefined) {
      this.#kept.read.push(this.text.slice(this.#kept.from, this.at))
      this.#kept.from = 0
    }
    this.text = this.text.slice(this.at) + text
    this.at = 0
  }

  /** Remembers the current place. */
  keep(): void {
    this.#kept = { read: [], from: this.at }
  }

  /** Goes to the remembered place, and forgets it. */
  back(): void {
    if (this.#kept === undefined) return
    const { read, from } = this.#kept
    this.text = read.join("") + this.text
    this.at = from
    this.forget()
  }

  /** The remembered place is not needed any more. */
  forget(): void {
    this.#kept = undefined
  }
}

/** A reader's result, after it has waited for text as often as it needs. */
export type Reading<T> = Generator<void, T, void>

/** Waits for more text, or its end; false: it has ended already. */
export function* more(stream: TextStream): Reading<boolean> {
  if (stream.isEnded) return false
  yield
  return true
}

/** The next character, not read yet; "" at the end. */
export function* peek(stream: TextStream): Reading<string> {
  while (stream.at >= stream.text.length) if (!(yield* more(stream))) return ""
  return stream.text[stream.at] ?? ""
}

/** Reads spaces and line ends; returns them. */
export function* spaces(stream: TextStream): Reading<string> {
  let read = ""
  for (;;) {
    const end = afterSpaces(stream.text, stream.at)
    read += stream.text.slice(stream.at, end)
    stream.at = end
    if (end < stream.text.length || !(yield* more(stream))) return read
  }
}

export function afterSpaces(text: string, from: number): number {
  let at = from
  while (at < text.length && isSpace(text.charCodeAt(at))) at++
  return at
}

/** Spaces that may stand before or within a marker; a longer run is looked at once, and not again with every piece. */
const MOST_SPACES = 256

/** As {@link afterSpaces}; undefined if there are more than markers have. */
export function afterFewSpaces(text: string, from: number): number | undefined {
  let at = from
  while (at < text.length && isSpace(text.charCodeAt(at))) if (++at - from > MOST_SPACES) return undefined
  return at
}

export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d
}
