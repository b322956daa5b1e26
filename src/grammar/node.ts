import type { Characters } from "./characters"

/** An expression of a grammar. */
export type GrammarNode =
  | { readonly type: "text"; readonly text: string }
  /** One character of the set. */
  | { readonly type: "characters"; readonly set: Characters }
  /** The token with this id, whatever its text is. */
  | { readonly type: "token"; readonly id: number }
  | { readonly type: "sequence"; readonly nodes: readonly GrammarNode[] }
  | { readonly type: "any-of"; readonly nodes: readonly GrammarNode[] }
  /** `max`: `Infinity` without an upper bound. */
  | { readonly type: "repeat"; readonly node: GrammarNode; readonly min: number; readonly max: number }
  | { readonly type: "rule"; readonly name: string }

/** Matches the empty text only. */
export const NOTHING: GrammarNode = { type: "sequence", nodes: [] }

/** Matches no text at all. */
export const IMPOSSIBLE: GrammarNode = { type: "any-of", nodes: [] }

export function terminal(value: string): GrammarNode {
  return value === "" ? NOTHING : { type: "text", text: value }
}

export function characters(set: Characters): GrammarNode {
  return set.length === 0 ? IMPOSSIBLE : { type: "characters", set }
}

/** The nodes one after another. */
export function sequence(...nodes: readonly GrammarNode[]): GrammarNode {
  const flat: GrammarNode[] = []
  for (const node of nodes) {
    const parts = node.type === "sequence" ? node.nodes : [node]
    for (const part of parts) {
      if (isImpossible(part)) return IMPOSSIBLE
      const last = flat.at(-1)
      if (part.type === "text" && last?.type === "text")
        flat[flat.length - 1] = terminal(last.text + part.text)
      else flat.push(part)
    }
  }
  return flat.length === 1 && flat[0] !== undefined ? flat[0] : { type: "sequence", nodes: flat }
}

/** Above this, equal alternatives are found by their text instead of by comparing each with each. */
const FEW_ALTERNATIVES = 4

/** One of the nodes. */
export function anyOf(...nodes: readonly GrammarNode[]): GrammarNode {
  const flat: GrammarNode[] = []
  for (const node of nodes) {
    if (node.type === "any-of") for (const each of node.nodes) flat.push(each)
    else flat.push(node)
  }
  const unique =
    flat.length > FEW_ALTERNATIVES
      ? [...new Map(flat.map((node) => [JSON.stringify(node), node])).values()]
      : flat.filter((node, index) => flat.findIndex((other) => isSame(node, other)) === index)
  const [only, ...others] = unique
  return only !== undefined && others.length === 0 ? only : { type: "any-of", nodes: unique }
}

function isSame(one: GrammarNode, other: GrammarNode): boolean {
  if (one === other) return true
  if (one.type !== other.type) return false
  if (one.type === "rule" && other.type === "rule") return one.name === other.name
  if (one.type === "text" && other.type === "text") return one.text === other.text
  if (one.type === "sequence" && other.type === "sequence")
    return (
      one.nodes.length === other.nodes.length &&
      one.nodes.every((node, index) => isSame(node, other.nodes[index] ?? NOTHING))
    )
  return JSON.stringify(one) === JSON.stringify(other)
}

export function optional(node: GrammarNode): GrammarNode {
  return repeat(node, 0, 1)
}

/** `max`: `Infinity` for no upper bound. */
export function repeat(node: GrammarNode, min: number, max: number): GrammarNode {
  if (max === 0 || isNothing(node)) return NOTHING
  if (isImpossible(node)) return min === 0 ? NOTHING : IMPOSSIBLE
  if (min === 1 && max === 1) return node
  return { type: "repeat", node, min, max }
}

export function isNothing(node: GrammarNode): boolean {
  return node.type === "sequence" && node.nodes.length === 0
}

export function isImpossible(node: GrammarNode): boolean {
  return node.type === "any-of" && node.nodes.length === 0
}

/** Does the node match the empty text? `rule`: the expression of a rule; rules that refer to themselves do not. */
export function matchesEmpty(node: GrammarNode, rule: (name: string) => boolean): boolean {
  switch (node.type) {
    case "text":
    case "characters":
    case "token":
      return false
    case "sequence":
      return node.nodes.every((each) => matchesEmpty(each, rule))
    case "any-of":
      return node.nodes.some((each) => matchesEmpty(each, rule))
    case "repeat":
      return node.min === 0 || matchesEmpty(node.node, rule)
    case "rule":
      return rule(node.name)
    default:
      return node satisfies never
  }
}
