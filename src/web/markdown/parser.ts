import MarkdownIt, { type Token } from "markdown-it"
import { mathRules } from "./math-rules"

export type { Token }

/** HTML in a text is text. What is nested more deeply is left out, and all that follows it as well: no browser minds this depth. */
const parser = new MarkdownIt({ html: false, linkify: false, maxNesting: 100 })

// What a link may point to is decided where it is shown, so that one which is refused can be seen.
parser.validateLink = () => true
parser.use(mathRules)

export function parseMarkdown(text: string): readonly Token[] {
  return parser.parse(text, {})
}
