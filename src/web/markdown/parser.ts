import MarkdownIt, { type Token } from "markdown-it"
import { mathRules } from "./math-rules"

export type { Token }

/** HTML in a text is text; nesting ends at a depth that no browser minds. */
const parser = new MarkdownIt({ html: false, linkify: false, maxNesting: 20 })

// What a link may point to is decided where it is shown, so that one which is refused can be seen.
parser.validateLink = () => true
parser.use(mathRules)

export function parseMarkdown(text: string): readonly Token[] {
  return parser.parse(text, {})
}
