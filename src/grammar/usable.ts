import { InvalidRequest } from "../errors/request"
import { tooAmbiguous } from "./ambiguity"
import { leftRecursiveRule, namesIn, rulesThat } from "./analysis"
import { anyOf, type GrammarNode, IMPOSSIBLE, isImpossible, matchesEmpty, repeat, sequence } from "./node"
import type { Grammar } from "./print"

/**
 * The grammar without what no text can match, and without rules that are not used: an answer that had begun such a part
 * could never end.
 * `places`: of a schema, the paths of the parts that became rules of their own.
 * @throws InvalidRequest if no text at all matches, a rule can begin with itself, or texts can be read in too many ways
 */
export function usable(
  { rules }: Grammar,
  what: "schema" | "grammar",
  places: ReadonlyMap<string, string> = new Map(),
): Grammar {
  const recursive = leftRecursiveRule(rules)
  if (recursive !== undefined) throw new InvalidRequest(leftRecursion(recursive, what, places.get(recursive)))
  const ambiguous = tooAmbiguous(rules, rulesThat(rules, matchesEmpty))
  if (ambiguous !== undefined)
    throw new InvalidRequest(
      `the ${what === "schema" ? "JSON schema" : "grammar"} cannot be used: ${ambiguous}`,
    )
  return possible({ rules }, what)
}

/**
 * The grammar without what no text can match, and without rules that are not used.
 * @throws InvalidRequest if no text at all matches
 */
export function possible({ rules }: Grammar, what: "schema" | "grammar"): Grammar {
  const matched = rulesThat(rules, isPossible)
  if (!matched.has("root"))
    throw new InvalidRequest(
      what === "schema" ? "the JSON schema at # allows no value at all" : "the grammar matches no text",
    )
  const kept = new Map<string, GrammarNode>()
  const open = ["root"]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = rules.get(name)
    if (kept.has(name) || node === undefined) continue
    const rest = matched.size === rules.size ? node : withoutImpossible(node, matched)
    kept.set(name, rest)
    for (const used of namesIn(rest)) open.push(used)
  }
  const inOrder = new Map<string, GrammarNode>()
  for (const name of rules.keys()) {
    const node = kept.get(name)
    if (node !== undefined) inOrder.set(name, node)
  }
  return { rules: inOrder }
}

function leftRecursion(rule: string, what: "schema" | "grammar", place: string | undefined): string {
  return what === "schema"
    ? `the JSON schema at ${place ?? `'${rule}'`} refers to itself, perhaps by way of other parts; only its properties and items may`
    : `the grammar's rule '${rule}' can begin with itself (left recursion); write what it repeats first`
}

function isPossible(node: GrammarNode, rule: (name: string) => boolean): boolean {
  switch (node.type) {
    case "rule":
      return rule(node.name)
    case "sequence":
      return node.nodes.every((each) => isPossible(each, rule))
    case "any-of":
      return node.nodes.some((each) => isPossible(each, rule))
    case "repeat":
      return node.min === 0 || isPossible(node.node, rule)
    default:
      return true
  }
}

function withoutImpossible(node: GrammarNode, possible: ReadonlySet<string>): GrammarNode {
  switch (node.type) {
    case "rule":
      return possible.has(node.name) ? node : IMPOSSIBLE
    case "sequence":
      return sequence(...node.nodes.map((each) => withoutImpossible(each, possible)))
    case "any-of":
      return anyOf(
        ...node.nodes.map((each) => withoutImpossible(each, possible)).filter((each) => !isImpossible(each)),
      )
    case "repeat":
      return repeat(withoutImpossible(node.node, possible), node.min, node.max)
    default:
      return node
  }
}
