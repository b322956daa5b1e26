import remend from "remend"

/** What could be the beginning of a rule, an item, a heading, a quote or a fence, or the underline of a heading. */
const UNDECIDED = /^ {0,3}(?:[-=*_+#>|`~]+|\d+[.)]?)[ \t]*$/

/**
 * The part of an unfinished text that can be shown: without an end that may become something else, and with marks
 * closed that are open. So what is shown is rarely taken back.
 */
export function hold(text: string): string {
  const start = text.lastIndexOf("\n") + 1
  if (/^ {0,3}\|/.test(text)) {
    // A table begins with its second line, and grows by whole rows.
    return text.split("\n").length < 3 ? "" : text.slice(0, start)
  }
  if (UNDECIDED.test(text.slice(start))) return heal(text.slice(0, start))
  return heal(text)
}

/** Marks do not reach across empty lines, so only what follows the last one is looked at. */
function heal(text: string): string {
  const start = text.lastIndexOf("\n\n") + 1
  return text.slice(0, start) + remend(text.slice(start), OPTIONS)
}

const OPTIONS = { linkMode: "text-only", htmlTags: false } as const
