/** Converts every line ending (CR LF, or a lone CR) to a line feed, as Jinja and Python's text files do. */
export function normalizeNewlines(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text
}
