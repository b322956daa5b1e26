import { anyOf, type GrammarNode, sequence } from "./node"
import type { Grammar } from "./print"

/** The texts of either grammar. */
export function eitherGrammar(one: Grammar, other: Grammar): Grammar {
  const root = anyOf(reference("one-root"), reference("other-root"))
  return { rules: new Map([["root", root], ...renamed(one, "one"), ...renamed(other, "other")]) }
}

/** The texts of a grammar between others. */
export function surrounded(before: GrammarNode, grammar: Grammar, after: GrammarNode): Grammar {
  const root = sequence(before, reference("inner-root"), after)
  return { rules: new Map([["root", root], ...renamed(grammar, "inner")]) }
}

function reference(name: string): GrammarNode {
  return { type: "rule", name }
}

function renamed({ rules }: Grammar, prefix: string): [string, GrammarNode][] {
  return [...rules].map(([name, node]) => [`${prefix}-${name}`, withPrefix(node, prefix)])
}

function withPrefix(node: GrammarNode, prefix: string): GrammarNode {
  switch (node.type) {
    case "rule":
      return reference(`${prefix}-${node.name}`)
    case "sequence":
    case "any-of":
      return { ...node, nodes: node.nodes.map((each) => withPrefix(each, prefix)) }
    case "repeat":
      return { ...node, node: withPrefix(node.node, prefix) }
    default:
      return node
  }
}
