import { GRAMMAR_PATHS, GRAMMAR_REFERENCES } from "../limits"
import { namesIn, rulesThat } from "./analysis"
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
  for (const [name, node] of rules)
    if (repeatsAmbiguously(node, rules))
      return `a repetition in the rule '${name}' can be read in too many ways, as what it repeats is repeated already`
  for (const name of nestingRules(rules))
    if (growsWithoutBound(rules, { type: "rule", name }))
      return `the rule '${name}', which contains itself, can be read in too many ways; make its alternatives begin differently`
  return undefined
}

/** Does the expression repeat repetitions, so that there are ever more ways to say which of them a text belongs to? */
export function repeatsAmbiguously(node: GrammarNode, rules: RuleMap = new Map()): boolean {
  return nestedRepetitions(node)
    .slice(0, MOST_TRIED)
    .some((each) => growsWithoutBound(rules, each))
}

/** The outermost ones, in this expression alone: between those of different rules there are texts that tell them apart. */
function nestedRepetitions(node: GrammarNode): readonly GrammarNode[] {
  switch (node.type) {
    case "repeat":
      return hasRepetition(node.node) ? [node] : []
    case "sequence":
    case "any-of":
      return node.nodes.flatMap(nestedRepetitions)
    default:
      return []
  }
}

function hasRepetition(node: GrammarNode): boolean {
  if (node.type === "repeat") return true
  return (node.type === "sequence" || node.type === "any-of") && node.nodes.some(hasRepetition)
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
  const open = withLoops(usersOf(withLoops(rules)))
  const nesting: string[] = []
  for (const start of open.keys()) {
    if (nesting.length >= MOST_TRIED) break
    if (reaches(rules, start)) nesting.push(start)
  }
  return nesting
}

/** The rules that lead to a rule that contains itself. */
function withLoops(rules: RuleMap): RuleMap {
  const ending = rulesThat(rules, (node, includes) =>
    namesIn(node).every((name) => includes(name) || !rules.has(name)),
  )
  return new Map([...rules].filter(([name]) => !ending.has(name)))
}

/** The same rules, each with references to those that refer to it. */
function usersOf(rules: RuleMap): RuleMap {
  const users = new Map([...rules.keys()].map((name) => [name, [] as GrammarNode[]]))
  for (const [user, node] of rules)
    for (const name of namesIn(node)) users.get(name)?.push({ type: "rule", name: user })
  return new Map([...users].map(([name, nodes]) => [name, { type: "sequence", nodes }]))
}

/** Does a rule refer to itself, perhaps by way of others? */
function reaches(rules: RuleMap, start: string): boolean {
  const seen = new Set<string>()
  const open = [...namesIn(rules.get(start) ?? NOTHING)]
  for (let name = open.pop(); name !== undefined && seen.size < MOST_SEEN; name = open.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    for (const next of namesIn(rules.get(name) ?? NOTHING)) open.push(next)
  }
  return seen.has(start)
}

/** Rules that are tried out, and rules that are looked at for each of them. */
const MOST_TRIED = 64
const MOST_SEEN = 500

/** The text that is tried: the same character again and again, as the longest tokens of vocabularies are. */
const TRIED_LENGTH = 24
const TRIED_CHARACTERS = 8

function growsWithoutBound(rules: RuleMap, node: GrammarNode): boolean {
  const reader = new Reader(rules)
  const start = reader.startOf(node)
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
