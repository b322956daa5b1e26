import type { GrammarNode } from "./node"
import type { Grammar } from "./print"

/** The tokens that a grammar names. */
export function tokensIn({ rules }: Grammar): readonly number[] {
  return [...new Set([...rules.values()].flatMap(ofNode))]
}

function ofNode(node: GrammarNode): readonly number[] {
  switch (node.type) {
    case "token":
      return [node.id]
    case "sequence":
    case "any-of":
      return node.nodes.flatMap(ofNode)
    case "repeat":
      return ofNode(node.node)
    default:
      return []
  }
}
