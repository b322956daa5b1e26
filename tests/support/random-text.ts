import type { Characters } from "../../src/grammar/characters"
import type { GrammarNode } from "../../src/grammar/node"
import type { Grammar } from "../../src/grammar/print"

/** Rules within each other, above which the shortest way to the end is taken. */
const MOST_DEPTH = 40

/** Repetitions above the least. */
const MOST_MORE = 4

/** A text of the grammar, which prefers what is at the edges: first and last characters, least and most repetitions. */
export function randomText({ rules }: Grammar, random: () => number): string {
  const heights = heightsOf(rules)

  function write(node: GrammarNode, depth: number): string {
    switch (node.type) {
      case "text":
        return node.text
      case "characters":
        return characterOf(node.set, random)
      case "token":
        throw new Error("texts have no tokens")
      case "sequence":
        return node.nodes.map((each) => write(each, depth)).join("")
      case "any-of": {
        const possible = node.nodes.filter((each) => heightOf(each, heights) < Infinity)
        const chosen = depth > MOST_DEPTH ? lowest(possible, heights) : pick(possible, random)
        return write(chosen, depth)
      }
      case "repeat":
        return Array.from({ length: countOf(node, depth, random) }, () => write(node.node, depth)).join("")
      case "rule":
        return write(ruleOf(rules, node.name), depth + 1)
      default:
        return node satisfies never
    }
  }

  return write(ruleOf(rules, "root"), 0)
}

function countOf({ min, max }: { min: number; max: number }, depth: number, random: () => number): number {
  if (depth > MOST_DEPTH) return min
  if (max < Infinity && random() < 0.1) return max
  return Math.min(max, min + Math.floor(random() * (MOST_MORE + 1)))
}

function characterOf(set: Characters, random: () => number): string {
  const [first, last] = pick(set, random)
  const code =
    random() < 0.3 ? first : random() < 0.2 ? last : between(first, Math.min(last, first + 200), random)
  return String.fromCodePoint(code)
}

function between(first: number, last: number, random: () => number): number {
  return first + Math.floor(random() * (last - first + 1))
}

export function pick<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error("there is nothing to choose from")
  return item
}

function lowest(nodes: readonly GrammarNode[], heights: ReadonlyMap<string, number>): GrammarNode {
  return nodes.reduce((best, node) => (heightOf(node, heights) < heightOf(best, heights) ? node : best))
}

/** How deeply rules must be nested at least, by the name of the rule. */
function heightsOf(rules: ReadonlyMap<string, GrammarNode>): ReadonlyMap<string, number> {
  const heights = new Map<string, number>()
  for (let hasChanged = true; hasChanged;) {
    hasChanged = false
    for (const [name, node] of rules) {
      const height = heightOf(node, heights) + 1
      if (height >= (heights.get(name) ?? Infinity)) continue
      heights.set(name, height)
      hasChanged = true
    }
  }
  return heights
}

/** `Infinity`: no text matches. */
function heightOf(node: GrammarNode, heights: ReadonlyMap<string, number>): number {
  switch (node.type) {
    case "rule":
      return heights.get(node.name) ?? Infinity
    case "sequence":
      return Math.max(0, ...node.nodes.map((each) => heightOf(each, heights)))
    case "any-of":
      return Math.min(Infinity, ...node.nodes.map((each) => heightOf(each, heights)))
    case "repeat":
      return node.min === 0 ? 0 : heightOf(node.node, heights)
    default:
      return 0
  }
}

function ruleOf(rules: ReadonlyMap<string, GrammarNode>, name: string): GrammarNode {
  const node = rules.get(name)
  if (node === undefined) throw new Error(`there is no rule ${name}`)
  return node
}
