import { anyOf, type GrammarNode } from "./node"
import type { Grammar } from "./print"
import { Rules } from "./rules"

/** The texts of any of the grammars. */
export function eitherGrammar(...grammars: readonly Grammar[]): Grammar {
  const rules = new Rules()
  return rules.grammar(anyOf(...grammars.map((grammar) => added(grammar, rules))))
}

/** Adds the rules of a grammar under new names. */
function added(grammar: Grammar, rules: Rules): GrammarNode {
  const names = new Map([...grammar.rules.keys()].map((name) => [name, rules.reserve(name)]))
  for (const [name, node] of grammar.rules) rules.define(names.get(name) ?? name, renamed(node))
  return { type: "rule", name: names.get("root") ?? "root" }

  function renamed(node: GrammarNode): GrammarNode {
    switch (node.type) {
      case "sequence":
      case "any-of":
        return { ...node, nodes: node.nodes.map(renamed) }
      case "repeat":
        return { ...node, node: renamed(node.node) }
      case "rule":
        return { type: "rule", name: names.get(node.name) ?? node.name }
      default:
        return node
    }
  }
}
