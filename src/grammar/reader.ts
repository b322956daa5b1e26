import { GRAMMAR_PATHS } from "../limits"
import { includes } from "./characters"
import { type GrammarNode, NOTHING } from "./node"

/** What is still to be read; equal ones are the same object. */
export interface Rest {
  readonly node: GrammarNode
  /** Characters of a text that are read. */
  readonly offset: number
  readonly next: Rest | undefined
}

export function codesOf(text: string): readonly number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0)
}

/** Reads texts as llama.cpp does: all ways at once, up to {@link GRAMMAR_PATHS} of them. */
export class Reader {
  readonly #rules: ReadonlyMap<string, GrammarNode>
  readonly #known = new Map<Rest | undefined, Map<GrammarNode, Map<number, Rest>>>()
  readonly #fewer = new Map<GrammarNode, GrammarNode>()

  constructor(rules: ReadonlyMap<string, GrammarNode>) {
    this.#rules = rules
  }

  /** Does the expression match the whole text? Undefined: there are too many ways to tell. */
  matches(node: GrammarNode, text: string): boolean | undefined {
    let rests: ReadonlySet<Rest> = new Set()
    let isEnd = false
    const codes = codesOf(text)
    for (let at = -1; at < codes.length; at++) {
      const found = new Set<Rest>()
      isEnd =
        at < 0 ? this.#open(this.#rest(node, 0, undefined), found) : this.#read(rests, codes[at] ?? 0, found)
      if (found.size > GRAMMAR_PATHS) return undefined
      rests = found
    }
    return isEnd
  }

  startOf(node: GrammarNode): ReadonlySet<Rest> {
    const found = new Set<Rest>()
    this.#open(this.#rest(node, 0, undefined), found)
    return found
  }

  after(rests: ReadonlySet<Rest>, code: number): ReadonlySet<Rest> {
    const found = new Set<Rest>()
    this.#read(rests, code, found)
    return found
  }

  /** May the text end after this character? */
  #read(rests: ReadonlySet<Rest>, code: number, found: Set<Rest>): boolean {
    let isEnd = false
    for (const { node, offset, next } of rests) {
      if (found.size > GRAMMAR_PATHS) break
      if (node.type === "characters" && includes(node.set, code)) isEnd = this.#open(next, found) || isEnd
      if (node.type !== "text") continue
      const codes = codesOf(node.text)
      if (codes[offset] !== code) continue
      const after = offset + 1 < codes.length ? this.#rest(node, offset + 1, next) : next
      isEnd = this.#open(after, found) || isEnd
    }
    return isEnd
  }

  /** Adds the rests that begin with a character, to which this one leads; may the text end here? */
  #open(start: Rest | undefined, found: Set<Rest>): boolean {
    let isEnd = false
    const open = [start]
    const seen = new Set<Rest>()
    while (open.length > 0 && found.size <= GRAMMAR_PATHS) {
      const rest = open.pop()
      if (rest === undefined) isEnd = true
      if (rest === undefined || seen.has(rest)) continue
      seen.add(rest)
      const { node, next } = rest
      switch (node.type) {
        case "rule":
          open.push(this.#rest(this.#rules.get(node.name) ?? NOTHING, 0, next))
          break
        case "sequence":
          open.push(
            node.nodes.reduceRight<Rest | undefined>((after, each) => this.#rest(each, 0, after), next),
          )
          break
        case "any-of":
          open.push(...node.nodes.map((each) => this.#rest(each, 0, next)))
          break
        case "repeat":
          if (node.min === 0) open.push(next)
          if (node.max > 0) open.push(this.#rest(node.node, 0, this.#rest(this.#less(node), 0, next)))
          break
        default:
          found.add(rest)
      }
    }
    return isEnd
  }

  #less(node: Extract<GrammarNode, { type: "repeat" }>): GrammarNode {
    if (node.min === 0 && node.max === Number.POSITIVE_INFINITY) return node
    const known = this.#fewer.get(node)
    if (known !== undefined) return known
    const fewer: GrammarNode = { ...node, min: Math.max(0, node.min - 1), max: node.max - 1 }
    this.#fewer.set(node, fewer)
    return fewer
  }

  #rest(node: GrammarNode, offset: number, next: Rest | undefined): Rest {
    const byNode = this.#known.get(next) ?? new Map<GrammarNode, Map<number, Rest>>()
    this.#known.set(next, byNode)
    const byOffset = byNode.get(node) ?? new Map<number, Rest>()
    byNode.set(node, byOffset)
    const known = byOffset.get(offset)
    if (known !== undefined) return known
    const made = { node, offset, next }
    byOffset.set(offset, made)
    return made
  }
}
