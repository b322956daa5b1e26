import { anyOf, type GrammarNode } from "./node"
import type { Grammar } from "./print"

/** The texts of either grammar. */
export function eitherGrammar(one: Grammar, other: Grammar): Grammar {
  return {
    rules: new Map([
      ["root", anyOf(reference("one-root"), reference("other-root"))],
      ...renamed(one, "one"),
      ...renamed(other, "other"),
    ]),
  }
}

function reference(name: string): GrammarNode {
  return { type: "rule", name }
}

function renamed({ rules }: Grammar, prefix: string): [string, GrammarNode][] {
  const change = (node: GrammarNode): GrammarNode =>
    node.type === "rule" ? reference(`${prefix}-${node.name}`) : node
  return [...rules].map(([name, node]) => [`${prefix}-${name}`, mapNode(node, change)])
}

/** Changes the innermost nodes of an expression. */
export function mapNode(node: GrammarNode, change: (node: GrammarNode) => GrammarNode): GrammarNode {
  switch (node.type) {
    case "sequence":
    case "any-of":
      return { ...node, nodes: node.nodes.map((each) => mapNode(each, change)) }
    case "repeat":
      return { ...node, node: mapNode(node.node, change) }
    default:
      return change(node)
  }
}
