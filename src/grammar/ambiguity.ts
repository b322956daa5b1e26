import { GRAMMAR_PATHS, GRAMMAR_REFERENCES } from "../limits"
import { namesIn } from "./analysis"
import { type GrammarNode, matchesEmpty, NOTHING } from "./node"
import { codesOf, Reader, type Rest } from "./reader"

type RuleMap = ReadonlyMap<string, GrammarNode>

/**
 * Why llama.cpp must not get a grammar: it follows all ways to read a text at once, compares each with each, and cannot
 * be interrupted. Undefined if there is no reason.
 */
export function tooAmbiguous(rules: RuleMap, empty: ReadonlySet<string>): string | undefined {
  const begun = new Beginnings(rules, empty)
  for (const name of rules.keys()) {
    const { paths, depth } = begun.ofRule(name)
    if (paths > GRAMMAR_PATHS)
      return `the rule '${name}' can begin in more than ${GRAMMAR_PATHS} ways; put what they have in common first`
    if (depth > GRAMMAR_REFERENCES)
      return `the rule '${name}' begins with more than ${GRAMMAR_REFERENCES} rules, one within the other`
  }
  for (const name of nestingRules(rules))
    if (growsWithoutBound(rules, name))
      return `the rule '${name}', which contains itself, can be read in too many ways; make its alternatives begin differently`
  return undefined
}

interface Beginning {
  /** Places of the expression where the next character may be. */
  readonly paths: number
  /** Rules within each other that lead there. */
  readonly depth: number
}

/** Counts, for rules that do not begin with themselves. */
class Beginnings {
  readonly #rules: RuleMap
  readonly #empty: ReadonlySet<string>
  readonly #known = new Map<string, Beginning>()

  constructor(rules: RuleMap, empty: ReadonlySet<string>) {
    this.#rules = rules
    this.#empty = empty
  }

  /** Without recursion over the rules, of which there may be many within each other. */
  ofRule(start: string): Beginning {
    const open = [start]
    for (let name = open.at(-1); name !== undefined; name = open.at(-1)) {
      const missing = new Set<string>()
      const found = this.#of(this.#rules.get(name) ?? NOTHING, missing)
      if (missing.size > 0) open.push(...missing)
      else {
        this.#known.set(name, { paths: found.paths, depth: found.depth + 1 })
        open.pop()
      }
    }
    return this.#known.get(start) ?? { paths: 0, depth: 0 }
  }

  #of(node: GrammarNode, missing: Set<string>): Beginning {
    switch (node.type) {
      case "rule": {
        const known = this.#known.get(node.name)
        if (known === undefined) missing.add(node.name)
        return known ?? { paths: 0, depth: 0 }
      }
      case "sequence": {
        const first = node.nodes.findIndex((each) => !matchesEmpty(each, (name) => this.#empty.has(name)))
        return this.#sum(first === -1 ? node.nodes : node.nodes.slice(0, first + 1), missing)
      }
      case "any-of":
        return this.#sum(node.nodes, missing)
      case "repeat":
        return this.#of(node.node, missing)
      default:
        return { paths: 1, depth: 0 }
    }
  }

  #sum(nodes: readonly GrammarNode[], missing: Set<string>): Beginning {
    let [paths, depth] = [0, 0]
    for (const node of nodes) {
      const each = this.#of(node, missing)
      paths += each.paths
      depth = Math.max(depth, each.depth)
    }
    return { paths, depth }
  }
}

/** Rules that contain themselves: only those can be read in ever more ways. */
function nestingRules(rules: RuleMap): readonly string[] {
  const nesting: string[] = []
  for (const start of rules.keys()) {
    if (nesting.length >= MOST_TRIED) break
    const seen = new Set<string>()
    const open = [...namesIn(rules.get(start) ?? NOTHING)]
    for (let name = open.pop(); name !== undefined && seen.size < MOST_SEEN; name = open.pop()) {
      if (seen.has(name)) continue
      seen.add(name)
      open.push(...namesIn(rules.get(name) ?? NOTHING))
    }
    if (seen.has(start)) nesting.push(start)
  }
  return nesting
}

/** Rules that are tried out, and rules that are looked at for each of them. */
const MOST_TRIED = 64
const MOST_SEEN = 500

/** The text that is tried: the same character again and again, as the longest tokens of vocabularies are. */
const TRIED_LENGTH = 24
const TRIED_CHARACTERS = 8

function growsWithoutBound(rules: RuleMap, name: string): boolean {
  const reader = new Reader(rules)
  const start = reader.startOf(name)
  const tried = [...new Set([...start].flatMap(firstCharacter))].slice(0, TRIED_CHARACTERS)
  return tried.some((code) => {
    let rests: ReadonlySet<Rest> = start
    for (let count = 0; count < TRIED_LENGTH && rests.size > 0; count++) {
      rests = reader.after(rests, code)
      if (rests.size > GRAMMAR_PATHS) return true
    }
    return false
  })
}

function firstCharacter({ node, offset }: Rest): readonly number[] {
  if (node.type === "characters") return node.set[0] === undefined ? [] : [node.set[0][0]]
  const code = node.type === "text" ? codesOf(node.text)[offset] : undefined
  return code === undefined ? [] : [code]
}
