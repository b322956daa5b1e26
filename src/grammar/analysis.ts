import { type GrammarNode, matchesEmpty, NOTHING } from "./node"

type RuleMap = ReadonlyMap<string, GrammarNode>

/** The rules that an expression refers to. */
export function namesIn(node: GrammarNode): readonly string[] {
  switch (node.type) {
    case "rule":
      return [node.name]
    case "sequence":
    case "any-of":
      return node.nodes.flatMap(namesIn)
    case "repeat":
      return namesIn(node.node)
    default:
      return []
  }
}

/**
 * The smallest set of rules for which `holds`, which may ask whether another rule is in it. Rules are looked at again
 * only when one that they refer to was added: grammars have up to 20,000 of them.
 */
export function rulesThat(
  rules: RuleMap,
  holds: (node: GrammarNode, includes: (name: string) => boolean) => boolean,
): ReadonlySet<string> {
  const found = new Set<string>()
  const users = new Map<string, string[]>()
  for (const name of rules.keys()) users.set(name, [])
  for (const [name, node] of rules) for (const used of new Set(namesIn(node))) users.get(used)?.push(name)
  const open = [...rules.keys()]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue
    if (!holds(rules.get(name) ?? NOTHING, (used) => found.has(used))) continue
    found.add(name)
    open.push(...(users.get(name) ?? []))
  }
  return found
}

/** A rule that can begin with itself, if there is one: llama.cpp would follow it without end, and refuses it. */
export function leftRecursiveRule(rules: RuleMap): string | undefined {
  const empty = rulesThat(rules, matchesEmpty)
  const done = new Set<string>()
  for (const start of rules.keys()) {
    // The way from the start to the current rule, with what each can begin with and is not yet followed.
    const way: { readonly name: string; readonly open: string[] }[] = []
    const onWay = new Set<string>()
    const enter = (name: string): void => {
      way.push({ name, open: [...new Set(firstRules(rules.get(name) ?? NOTHING, empty))] })
      onWay.add(name)
    }
    if (!done.has(start)) enter(start)
    for (let last = way.at(-1); last !== undefined; last = way.at(-1)) {
      const next = last.open.pop()
      if (next === undefined) {
        way.pop()
        onWay.delete(last.name)
        done.add(last.name)
      } else if (onWay.has(next)) return next
      else if (!done.has(next)) enter(next)
    }
  }
  return undefined
}

/** The rules that an expression can begin with; a loop around what may be empty begins with itself. */
function firstRules(node: GrammarNode, empty: ReadonlySet<string>): readonly string[] {
  switch (node.type) {
    case "rule":
      return [node.name]
    case "any-of":
      return node.nodes.flatMap((each) => firstRules(each, empty))
    case "repeat":
      return firstRules(node.node, empty)
    case "sequence": {
      const first: string[] = []
      for (const each of node.nodes) {
        first.push(...firstRules(each, empty))
        if (!matchesEmpty(each, (used) => empty.has(used))) return first
      }
      return first
    }
    default:
      return []
  }
}
