import { type Characters, charactersIn, includes, without } from "../../../grammar/characters"
import { anyOf, characters, type GrammarNode, isImpossible, sequence, terminal } from "../../../grammar/node"
import { NOTHING } from "../../../grammar/node"
import type { Grammar } from "../../../grammar/print"
import type { Rules } from "../../../grammar/rules"

/** Within a JSON string, these are written as escapes. */
const ESCAPED = charactersIn('"\\\n\t\r')

/**
 * The rules of a grammar of JSON texts, for these texts as the content of a JSON string. Adds them to `rules`.
 * @returns what an expression of the grammar becomes
 */
export function rulesInString(grammar: Grammar, rules: Rules): (node: GrammarNode) => GrammarNode {
  const names = new Map([...grammar.rules.keys()].map((name) => [name, rules.reserve(`text-${name}`)]))
  for (const [name, node] of grammar.rules) rules.define(names.get(name) ?? name, inString(node))
  return inString

  function inString(node: GrammarNode): GrammarNode {
    switch (node.type) {
      case "text":
        return terminal(JSON.stringify(node.text).slice(1, -1))
      case "characters":
        return charactersInString(node.set)
      case "token":
        return node
      case "sequence":
        return sequence(...node.nodes.map(inString))
      case "any-of":
        return anyOf(...node.nodes.map(inString))
      case "repeat":
        return { ...node, node: inString(node.node) }
      case "rule":
        return { type: "rule", name: names.get(node.name) ?? node.name }
      default:
        return node satisfies never
    }
  }
}

function charactersInString(set: Characters): GrammarNode {
  const plain = characters(without(set, ESCAPED))
  const escapes = ESCAPED.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  )
    .filter((code) => includes(set, code))
    .map((code) => terminal(JSON.stringify(String.fromCodePoint(code)).slice(1, -1)))
  const nodes = [plain, ...escapes].filter((node) => !isImpossible(node))
  return nodes.length === 0 ? NOTHING : anyOf(...nodes)
}
