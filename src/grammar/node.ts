import type { Characters } from "./characters"

/** An expression of a grammar. */
export type Node =
  | { readonly type: "text"; readonly text: string }
  /** One character of the set. */
  | { readonly type: "characters"; readonly set: Characters }
  /** The token with this id, whatever its text is. */
  | { readonly type: "token"; readonly id: number }
  | { readonly type: "sequence"; readonly nodes: readonly Node[] }
  | { readonly type: "any-of"; readonly nodes: readonly Node[] }
  /** `max`: `Infinity` without an upper bound. */
  | { readonly type: "repeat"; readonly node: Node; readonly min: number; readonly max: number }
  | { readonly type: "rule"; readonly name: string }

/** Matches the empty text only. */
export const NOTHING: Node = { type: "sequence", nodes: [] }

/** Matches no text at all. */
export const IMPOSSIBLE: Node = { type: "any-of", nodes: [] }

export function text(value: string): Node {
  return value === "" ? NOTHING : { type: "text", text: value }
}

export function characters(set: Characters): Node {
  return set.length === 0 ? IMPOSSIBLE : { type: "characters", set }
}

/** The nodes one after another. */
export function sequence(...nodes: readonly Node[]): Node {
  const flat: Node[] = []
  for (const node of nodes.flatMap((each) => (each.type === "sequence" ? each.nodes : [each]))) {
    if (isImpossible(node)) return IMPOSSIBLE
    const last = flat.at(-1)
    if (node.type === "text" && last?.type === "text") flat[flat.length - 1] = text(last.text + node.text)
    else flat.push(node)
  }
  return flat.length === 1 && flat[0] !== undefined ? flat[0] : { type: "sequence", nodes: flat }
}

/** One of the nodes. */
export function anyOf(...nodes: readonly Node[]): Node {
  const flat = nodes.flatMap((node) => (node.type === "any-of" ? node.nodes : [node]))
  const unique = new Map(flat.map((node) => [JSON.stringify(node), node]))
  const [only, ...others] = unique.values()
  return only !== undefined && others.length === 0 ? only : { type: "any-of", nodes: [...unique.values()] }
}

export function optional(node: Node): Node {
  return repeat(node, 0, 1)
}

/** `max`: `Infinity` for no upper bound. */
export function repeat(node: Node, min: number, max: number): Node {
  if (max === 0 || isNothing(node)) return NOTHING
  if (isImpossible(node)) return min === 0 ? NOTHING : IMPOSSIBLE
  if (min === 1 && max === 1) return node
  return { type: "repeat", node, min, max }
}

export function isNothing(node: Node): boolean {
  return node.type === "sequence" && node.nodes.length === 0
}

export function isImpossible(node: Node): boolean {
  return node.type === "any-of" && node.nodes.length === 0
}

/** Does the node match the empty text? `rule`: the expression of a rule; rules that refer to themselves do not. */
export function matchesEmpty(node: Node, rule: (name: string) => boolean): boolean {
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
