import type { UnitPattern } from "../markers"

/** A place among the beginnings of markers. */
interface Node {
  readonly next: Map<number, Node>
  /** How much of a marker has been seen. */
  readonly length: number
  /** The first marker that begins like this. */
  readonly towards: number
  /** The first marker that ends here. */
  found: number | undefined
  /** The longest end of what has been seen that begins a marker too. */
  fallback: Node | undefined
}

/** What a stream ends with. */
export type TriggerState = Pick<Node, "length" | "towards" | "found">

/**
 * Looks for any of several markers in a stream of units (Aho and Corasick): with a hundred markers a unit costs as much as
 * with one. Units that begin no marker, which nearly all are, cost one look.
 */
export class TriggerSearch {
  readonly #root: Node = { next: new Map(), length: 0, towards: 0, found: undefined, fallback: undefined }

  constructor(markers: readonly UnitPattern[]) {
    for (const [index, { units }] of markers.entries()) this.#add(index, units)
    const open = [...this.#root.next.values()]
    for (const node of open) node.fallback = this.#root
    // Shorter beginnings come first, as the fallbacks of longer ones need theirs.
    for (const node of open)
      for (const [unit, child] of node.next) {
        const fallback = this.#after(node.fallback, unit)
        child.fallback = fallback
        if (fallback.found !== undefined) child.found = Math.min(child.found ?? Infinity, fallback.found)
        open.push(child)
      }
  }

  get start(): TriggerState {
    return this.#root
  }

  /** `found`: the first of the markers that end with this unit. */
  advance(state: TriggerState, unit: number): TriggerState {
    // All states are this search's own.
    return this.#after(state as Node, unit)
  }

  #add(index: number, units: readonly number[]): void {
    let node = this.#root
    for (const unit of units) {
      let next = node.next.get(unit)
      if (next === undefined) {
        next = {
          next: new Map(),
          length: node.length + 1,
          towards: index,
          found: undefined,
          fallback: undefined,
        }
        node.next.set(unit, next)
      }
      node = next
    }
    node.found ??= index
  }

  #after(state: Node | undefined, unit: number): Node {
    for (let node = state; node !== undefined; node = node.fallback) {
      const next = node.next.get(unit)
      if (next !== undefined) return next
    }
    return this.#root
  }
}
