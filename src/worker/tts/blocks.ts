/** A part of a text after which a voice pauses, whatever its last mark is: a paragraph, or a line of a list. */
export interface TextBlock {
  /** On one line. */
  readonly text: string
  readonly ends: "line" | "paragraph"
}

/** The start of a line in a list: a bullet, or a number or letter with a mark. */
export const LIST_MARKER = /^\s*(?:[-*+•‣◦▪–—]|\(?(?:\d{1,3}|[a-zA-Z])[.)])\s+(?=\S)/u

/** Splits a text at blank lines, and at the line ends of lists; other line ends are those of a wrapped text. */
export function toBlocks(text: string): TextBlock[] {
  return text
    .split(/\n[^\S\n]*\n/)
    .flatMap((paragraph) => {
      const lines = joinWrapped(paragraph.split("\n"))
      return lines.map((line, index): TextBlock => ({
        text: line,
        ends: index === lines.length - 1 ? "paragraph" : "line",
      }))
    })
    .filter((block) => block.text !== "")
}

/** The lines of a paragraph, each joined with those that continue it. */
function joinWrapped(lines: readonly string[]): string[] {
  const joined: string[] = []
  for (const line of lines) {
    const text = line.replace(/\s+/g, " ").trim()
    if (text === "") continue
    const previous = joined.at(-1)
    if (previous === undefined || startsItem(line, lines)) joined.push(text)
    else joined[joined.length - 1] = `${previous} ${text}`
  }
  return joined
}

/** A dash or a number at the start of a line may stand there by chance: a list has two items or more. */
function startsItem(line: string, lines: readonly string[]): boolean {
  return LIST_MARKER.test(line) && lines.filter((each) => LIST_MARKER.test(each)).length > 1
}
