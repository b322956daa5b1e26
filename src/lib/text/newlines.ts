/** Text with every line ending (CR LF, or a lone CR) as a line feed, as Jinja and Python's text files have it. */
export function normalizeNewlines(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text
}
