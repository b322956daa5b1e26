import type { GrammarNode } from "../../../src/grammar/node"
import type { Grammar } from "../../../src/grammar/print"

/** A character or text, or a token by its id. */
export type Written = string | number

/** Texts beyond this end as soon as they can. */
const LONG = 400

/** A random text of the grammar, in pieces: tokens by their ids. */
export function randomText({ rules }: Grammar, random: () => number): readonly Written[] {
  const least = leastLengths(rules)
  const written: Written[] = []

  function walk(node: GrammarNode): void {
    switch (node.type) {
      case "text":
        written.push(...node.text)
        return
      case "characters": {
        written.push(randomCharacter(node.set, random))
        return
      }
      case "token":
        written.push(node.id)
        return
      case "sequence":
        for (const each of node.nodes) walk(each)
        return
      case "any-of":
        walk(chosen(node.nodes))
        return
      case "repeat": {
        const most = written.length > LONG ? node.min : Math.min(node.max, node.min + 3)
        const count = node.min + Math.floor(random() * (most - node.min + 1))
        for (let at = 0; at < count; at++) walk(node.node)
        return
      }
      case "rule": {
        const rule = rules.get(node.name)
        if (rule === undefined) throw new Error(`there is no rule ${node.name}`)
        walk(rule)
        return
      }
      default:
        node satisfies never
    }
  }

  /** Any of them; the shortest once the text is long. */
  function chosen(nodes: readonly GrammarNode[]): GrammarNode {
    const possible = nodes.filter((node) => lengthOf(node, least) < Number.POSITIVE_INFINITY)
    const shortest = possible.reduce((a, b) => (lengthOf(b, least) < lengthOf(a, least) ? b : a))
    if (written.length > LONG) return shortest
    return possible[Math.floor(random() * possible.length)] ?? shortest
  }

  const root = rules.get("root")
  if (root === undefined) throw new Error("there is no root")
  walk(root)
  return written
}

/** Signs that markers and JSON have are as likely as all others. */
const SIGNS = Array.from("<>[]{}/|=\"'\\,: \n\tatue0é😀", (sign) => sign.codePointAt(0) ?? 0)

function randomCharacter(set: readonly (readonly [number, number])[], random: () => number): string {
  const signs = SIGNS.filter((sign) => set.some(([first, last]) => first <= sign && sign <= last))
  if (signs.length > 0 && random() < 0.8)
    return String.fromCodePoint(signs[Math.floor(random() * signs.length)] ?? 0)
  const [first, last] = set[Math.floor(random() * set.length)] ?? [0, 0]
  return String.fromCodePoint(first + Math.floor(random() * (Math.min(last, first + 300) - first + 1)))
}

/** The length of the shortest text of each rule. */
function leastLengths(rules: Grammar["rules"]): ReadonlyMap<string, number> {
  const least = new Map<string, number>()
  for (let isChanged = true; isChanged;) {
    isChanged = false
    for (const [name, node] of rules) {
      const length = lengthOf(node, least)
      if (length >= (least.get(name) ?? Number.POSITIVE_INFINITY)) continue
      least.set(name, length)
      isChanged = true
    }
  }
  return least
}

function lengthOf(node: GrammarNode, least: ReadonlyMap<string, number>): number {
  switch (node.type) {
    case "text":
      return node.text.length
    case "characters":
      return node.set.length === 0 ? Number.POSITIVE_INFINITY : 1
    case "token":
      return 1
    case "sequence":
      return node.nodes.reduce((sum, each) => sum + lengthOf(each, least), 0)
    case "any-of":
      return Math.min(Number.POSITIVE_INFINITY, ...node.nodes.map((each) => lengthOf(each, least)))
    case "repeat":
      return node.min === 0 ? 0 : node.min * lengthOf(node.node, least)
    case "rule":
      return least.get(node.name) ?? Number.POSITIVE_INFINITY
    default:
      return node satisfies never
  }
}
