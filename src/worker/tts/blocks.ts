/** A part of a text after which a voice pauses, whatever its last mark is: a paragraph, or a line of a list. */
export interface TextBlock {
  /** On one line. */
  readonly text: string
  readonly ends: "line" | "paragraph"
}

/** The start of a line in a list: a bullet, or a number or letter with a mark. */
export const LIST_MARKER = /^\s*(?:[-*+•‣◦▪–—]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s+(?=\S)/u

const BULLET = /^\s*[-*+•‣◦▪–—]\s+(?=\S)/u
const NUMBER = /^(\s*(?:\d{1,3}|[a-zA-Z]))\.(?=\s+\S)/

export interface BlockOptions {
  /** Is every mark part of the text? Otherwise lists have no bullets, and numbers that end no sentence. */
  readonly raw: boolean
}

/**
 * Splits a text at blank lines, at the line ends of lists and at line separators (U+2028); other line ends are those of
 * a wrapped text.
 */
export function toBlocks(text: string, options: BlockOptions = { raw: true }): TextBlock[] {
  return text
    .split(/\n[^\S\n]*\n|\u2029/)
    .flatMap((paragraph) => {
      const lines = paragraph.split("\u2028").flatMap((part) => joinWrapped(part.split("\n"), options))
      return lines.map((line, index): TextBlock => ({
        text: line,
        ends: index === lines.length - 1 ? "paragraph" : "line",
      }))
    })
    .filter((block) => block.text !== "")
}

/** The lines of a paragraph, each joined with those that continue it. */
function joinWrapped(lines: readonly string[], { raw }: BlockOptions): string[] {
  const joined: string[] = []
  for (const line of lines) {
    const previous = joined.at(-1)
    const isNew = previous === undefined || startsItem(line, lines)
    const text = (isNew && !raw ? readMarker(line) : line).replace(/\s+/g, " ").trim()
    if (text === "") continue
    if (isNew) joined.push(text)
    else joined[joined.length - 1] = `${previous} ${text}`
  }
  return joined
}

/** espeak-ng pauses after "1." as after a sentence, and not after "1)". */
function readMarker(line: string): string {
  return line.replace(BULLET, "").replace(NUMBER, "$1)")
}

/** A dash or a number at the start of a line may stand there by chance: a list has two items or more. */
function startsItem(line: string, lines: readonly string[]): boolean {
  return LIST_MARKER.test(line) && lines.filter((each) => LIST_MARKER.test(each)).length > 1
}
