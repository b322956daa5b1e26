import { characters, type GrammarNode } from "../node"
import { Reader } from "../reader"
import { parseRegex, RegexError } from "./parse"
import { searched } from "./to-node"

/**
 * Looks for regular expressions in texts, in a time that grows with both only: JavaScript's own can take forever, and
 * cannot be interrupted.
 */
export class Patterns {
  readonly #nodes = new Map<string, GrammarNode | undefined>()

  /** Undefined for an expression that no grammar can say. */
  isFound(pattern: string, text: string): boolean | undefined {
    if (!this.#nodes.has(pattern)) this.#nodes.set(pattern, nodeOf(pattern))
    const node = this.#nodes.get(pattern)
    return node && new Reader(new Map()).matches(node, text)
  }
}

function nodeOf(pattern: string): GrammarNode | undefined {
  try {
    return searched(parseRegex(pattern), characters)
  } catch (error) {
    if (error instanceof RegexError) return undefined
    throw error
  }
}
