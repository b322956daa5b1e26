import { InvalidRequest } from "../../errors/request"
import { GRAMMAR_DEPTH, MOST_GRAMMAR_RULES, MOST_REPETITIONS } from "../../limits"
import { type CharacterRange, charactersOf, complement } from "../characters"
import { anyOf, characters, type GrammarNode, repeat, sequence, terminal } from "../node"
import { namesIn } from "../analysis"
import type { Grammar } from "../print"
import { oneOfTexts } from "../trie"
import { usable } from "../usable"

/**
 * Reads a grammar in llama.cpp's notation (GBNF). llama.cpp reads it again; this finds what is wrong with it, and where,
 * before anything native sees it.
 * @throws InvalidRequest naming the line
 */
export function parseGbnf(source: string): Grammar {
  const grammar = { rules: new Parser(source).rules() }
  check(grammar)
  return usable(grammar, "grammar")
}

class Parser {
  readonly #source: string
  #at = 0
  #depth = 0

  constructor(source: string) {
    this.#source = source
  }

  rules(): ReadonlyMap<string, GrammarNode> {
    const rules = new Map<string, GrammarNode>()
    this.#skip(true)
    while (this.#at < this.#source.length) {
      const name = this.#name()
      this.#skip(false)
      if (!this.#takes("::=")) throw this.#wrong("expected '::=' after the name of a rule")
      this.#skip(true)
      // As in llama.cpp, the last one of a name counts.
      rules.set(name, this.#choice(false))
      if (rules.size > MOST_GRAMMAR_RULES) throw this.#wrong(`has more than ${MOST_GRAMMAR_RULES} rules`)
      if (this.#at < this.#source.length && !/[\r\n]/.test(this.#source[this.#at] ?? ""))
        throw this.#wrong("expected the end of a rule")
      this.#skip(true)
    }
    return rules
  }

  #choice(isNested: boolean): GrammarNode {
    if (++this.#depth > GRAMMAR_DEPTH)
      throw this.#wrong(`has more than ${GRAMMAR_DEPTH} parentheses within each other`)
    const nodes = [this.#sequence(isNested)]
    while (this.#takes("|")) {
      this.#skip(true)
      nodes.push(this.#sequence(isNested))
    }
    this.#depth--
    const texts = nodes.flatMap((node) => (node.type === "text" ? [node.text] : []))
    return anyOf(...nodes.filter(({ type }) => type !== "text"), oneOfTexts(texts))
  }

  #sequence(isNested: boolean): GrammarNode {
    const nodes: GrammarNode[] = []
    for (;;) {
      const item = this.#item(isNested)
      if (item === undefined) return sequence(...nodes)
      nodes.push(this.#repeated(item, isNested))
    }
  }

  #item(isNested: boolean): GrammarNode | undefined {
    const next = this.#source[this.#at]
    if (next === undefined) return undefined
    if (next === '"') return this.#ended(this.#literal(), isNested)
    if (next === "[") return this.#ended(this.#class(), isNested)
    if (next === ".") {
      this.#at++
      return this.#ended(characters(complement([])), isNested)
    }
    if (next === "(") {
      this.#at++
      this.#skip(true)
      const inner = this.#choice(true)
      if (!this.#takes(")")) throw this.#wrong("expected ')'")
      return this.#ended(inner, isNested)
    }
    if (next === "<" || next === "!") return this.#ended(this.#token(), isNested)
    if (/[A-Za-z0-9-]/.test(next)) return this.#ended({ type: "rule", name: this.#name() }, isNested)
    return undefined
  }

  #ended(node: GrammarNode, isNested: boolean): GrammarNode {
    this.#skip(isNested)
    return node
  }

  #repeated(node: GrammarNode, isNested: boolean): GrammarNode {
    let whole = node
    for (;;) {
      const count = this.#count(isNested)
      if (count === undefined) return whole
      whole = repeat(whole, count.min, count.max)
    }
  }

  #count(isNested: boolean): { readonly min: number; readonly max: number } | undefined {
    const infinite = Number.POSITIVE_INFINITY
    const sign = this.#source[this.#at]
    if (sign === "*" || sign === "+" || sign === "?") {
      this.#at++
      this.#skip(isNested)
      return sign === "?" ? { min: 0, max: 1 } : { min: sign === "+" ? 1 : 0, max: infinite }
    }
    if (sign !== "{") return undefined
    const [all, least = "", comma, most = ""] =
      /^\{\s*(\d{1,9})\s*(,)?\s*(\d{1,9})?\s*\}/.exec(this.#source.slice(this.#at, this.#at + 64)) ?? []
    if (all === undefined) throw this.#wrong("expected a repetition like {2}, {2,} or {2,5}")
    const min = Number(least)
    const max = comma === undefined ? min : most === "" ? infinite : Number(most)
    if (min > max) throw this.#wrong("has a repetition whose numbers are out of order")
    if ((max === infinite ? min : max) > MOST_REPETITIONS)
      throw this.#wrong(`repeats something more than ${MOST_REPETITIONS} times`)
    this.#at += all.length
    this.#skip(isNested)
    return { min, max }
  }

  #literal(): GrammarNode {
    this.#at++
    let value = ""
    while (!this.#takes('"')) value += String.fromCodePoint(this.#character("text"))
    return terminal(value)
  }

  #class(): GrammarNode {
    this.#at++
    const isNegated = this.#takes("^")
    const ranges: CharacterRange[] = []
    while (!this.#takes("]")) {
      const first = this.#character("class of characters")
      const isRange = this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]"
      if (isRange) this.#at++
      ranges.push([first, isRange ? this.#character("class of characters") : first])
    }
    const set = charactersOf(ranges)
    return characters(isNegated ? complement(set) : set)
  }

  #token(): GrammarNode {
    const [all, id] = /^<\[(\d{1,9})\]>/.exec(this.#source.slice(this.#at, this.#at + 16)) ?? []
    if (all === undefined) throw this.#wrong("has a token that is not written as <[ID]>")
    this.#at += all.length
    return { type: "token", id: Number(id) }
  }

  /** One character of a text or class, escaped or not. */
  #character(within: string): number {
    const next = this.#source.codePointAt(this.#at)
    if (next === undefined) throw this.#wrong(`ends within a ${within}`)
    if (next !== 0x5c) {
      this.#at += next > 0xffff ? 2 : 1
      return next
    }
    const ahead = this.#source.slice(this.#at + 1, this.#at + 10)
    const known = { t: 0x09, r: 0x0d, n: 0x0a }[ahead[0] ?? ""]
    const [hex] = /^(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/.exec(ahead) ?? []
    const isItself = /^[\\"[\]-]/.test(ahead)
    const code =
      known ??
      (hex !== undefined ? Number.parseInt(hex.slice(1), 16) : isItself ? ahead.charCodeAt(0) : undefined)
    if (code === undefined || code > 0x10ffff) throw this.#wrong(`has the unknown escape \\${ahead[0] ?? ""}`)
    this.#at += 1 + (hex?.length ?? 1)
    return code
  }

  #name(): string {
    const [name] = /^[A-Za-z0-9-]{1,200}/.exec(this.#source.slice(this.#at, this.#at + 201)) ?? []
    if (name === undefined) throw this.#wrong("expected the name of a rule")
    this.#at += name.length
    return name
  }

  #takes(sign: string): boolean {
    const isNext = this.#source.startsWith(sign, this.#at)
    if (isNext) this.#at += sign.length
    return isNext
  }

  /** Skips spaces and comments, and line ends where a rule may go on. */
  #skip(overLines: boolean): void {
    const blank = overLines ? /(?:[ \t\r\n]|#[^\r\n]*)*/y : /(?:[ \t]|#[^\r\n]*)*/y
    blank.lastIndex = this.#at
    blank.test(this.#source)
    this.#at = Math.max(this.#at, blank.lastIndex)
  }

  #wrong(problem: string): InvalidRequest {
    const before = this.#source.slice(0, this.#at)
    const line = before.split("\n").length
    const column = this.#at - (before.lastIndexOf("\n") + 1) + 1
    return new InvalidRequest(`grammar, line ${line}, column ${column}: ${problem}`, "grammar")
  }
}

/** @throws InvalidRequest for rules that are missing */
function check({ rules }: Grammar): void {
  if (!rules.has("root"))
    throw new InvalidRequest("the grammar has no rule 'root', with which it begins", "grammar")
  for (const [name, node] of rules)
    for (const used of namesIn(node))
      if (!rules.has(used))
        throw new InvalidRequest(
          `the grammar's rule '${name}' uses '${used}', which it does not have`,
          "grammar",
        )
}
