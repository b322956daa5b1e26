import { LarkError, regexOfLark } from "../../../formats/lark/to-regex"
import { MOST_CONSTRAINT_CHARACTERS } from "../../../limits"
import { reasonOf } from "../../../errors/base"
import { Fields } from "../../read/fields"

/** What a custom tool's text must be. Neither: any text. */
export interface TextFormat {
  /** A regular expression of the whole text. */
  readonly pattern?: string
  /** Why its grammar is not enforced. */
  readonly reason?: string
}

/** Reads `format`: text, or a grammar as a regular expression or in Lark's notation. @throws InvalidRequest */
export function readTextFormat(tool: Fields, path: string): TextFormat {
  const given = tool.object("format")
  if (given?.["type"] !== "grammar") return {}
  // Chat completions have it one level deeper.
  const inner = new Fields(given, `${path}.format.`).object("grammar") ?? given
  const grammar = new Fields(inner, `${path}.format.`)
  const definition = grammar.text("definition", { maxLength: MOST_CONSTRAINT_CHARACTERS }) ?? ""
  const syntax = grammar.choice("syntax", ["lark", "regex"] as const)
  try {
    if (syntax === "lark") return { pattern: `^(?:${regexOfLark(definition)})$` }
    if (syntax === "regex") return { pattern: wholly(definition) }
    return {}
  } catch (error) {
    if (error instanceof LarkError) return { reason: error.message }
    if (error instanceof SyntaxError) return { reason: reasonOf(error) }
    throw error
  }
}

/** An expression of the whole text. @throws SyntaxError if it is written in another language's notation */
function wholly(source: string): string {
  // Of Python and Rust.
  const bare = source
    .replace(/^(?:\^|\\A)/, "")
    .replace(/(?<!\\)(?:\\\\)*(?:\$|\\z|\\Z)$/, (end) => end.replace(/\$$|\\[zZ]$/, ""))
  void new RegExp(bare, "u")
  return `^(?:${bare})$`
}
