/** The result of a line: part of a longer message, or its end. */
export type BuilderResult =
  | { readonly type: "more" }
  /** `isQuoted`: it was enclosed in `"""`, so it is a message even if it looks like a command. */
  | { readonly type: "message"; readonly text: string; readonly isQuoted: boolean }

const QUOTES = '"""'

/**
 * Combines lines into messages: one per line, except between `"""` and `"""`. `/set system """` starts a longer text
 * too.
 */
export class MessageBuilder {
  /** The lines so far; undefined outside quotes. */
  #open: { readonly prefix: string; readonly lines: string[] } | undefined

  get isOpen(): boolean {
    return this.#open !== undefined
  }

  /** Discards an incomplete message. */
  reset(): void {
    this.#open = undefined
  }

  add(line: string): BuilderResult {
    if (this.#open === undefined) return this.#begin(line)
    const trimmed = line.trimEnd()
    if (!trimmed.endsWith(QUOTES)) {
      this.#open.lines.push(line)
      return { type: "more" }
    }
    const { prefix, lines } = this.#open
    const last = trimmed.slice(0, -QUOTES.length)
    this.#open = undefined
    return message(prefix, [...lines, ...(last === "" ? [] : [last])].join("\n"))
  }

  #begin(line: string): BuilderResult {
    const match = /^\s*(\/set\s+system\s+)?"""/.exec(line)
    if (match === null) return { type: "message", text: line, isQuoted: false }
    const prefix = match[1] ?? ""
    const rest = line.slice(match[0].length)
    if (rest.trimEnd().endsWith(QUOTES)) return message(prefix, rest.trimEnd().slice(0, -QUOTES.length))
    this.#open = { prefix, lines: rest === "" ? [] : [rest] }
    return { type: "more" }
  }
}

function message(prefix: string, text: string): BuilderResult {
  return { type: "message", text: prefix + text, isQuoted: prefix === "" }
}
