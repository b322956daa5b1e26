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
  /** Readers may return to this place; undefined: to none. */
  #kept: number | undefined

  append(text: string): void {
    const from = Math.min(this.at, this.#kept ?? this.at)
    this.text = this.text.slice(from) + text
    this.at -= from
    if (this.#kept !== undefined) this.#kept -= from
  }

  /** Remembers the current place. */
  keep(): void {
    this.#kept = this.at
  }

  /** Goes to the remembered place. */
  back(): void {
    this.at = this.#kept ?? this.at
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

export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d
}
