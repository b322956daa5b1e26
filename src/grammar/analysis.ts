import { type GrammarNode, matchesEmpty, NOTHING } from "./node"

type RuleMap = ReadonlyMap<string, GrammarNode>

/** The rules that an expression refers to, perhaps several times. */
export function namesIn(node: GrammarNode): readonly string[] {
  const names: string[] = []
  addNames(node, names)
  return names
}

function addNames(node: GrammarNode, names: string[]): void {
  switch (node.type) {
    case "rule":
      names.push(node.name)
      return
    case "sequence":
    case "any-of":
      for (const each of node.nodes) addNames(each, names)
      return
    case "repeat":
      return addNames(node.node, names)
    default:
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
  for (const [name, node] of rules) for (const used of namesIn(node)) users.get(used)?.push(name)
  const open = [...rules.keys()]
  const includes = (name: string): boolean => found.has(name)
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue
    if (!holds(rules.get(name) ?? NOTHING, includes)) continue
    found.add(name)
    for (const user of users.get(name) ?? []) open.push(user)
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
