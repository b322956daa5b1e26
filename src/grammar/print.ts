import { MOST_REPETITIONS } from "../limits"
import type { Characters } from "./characters"
import type { GrammarNode } from "./node"

/** Named rules; the grammar begins with the rule `root`. */
export interface Grammar {
  readonly rules: ReadonlyMap<string, GrammarNode>
}

/** The grammar in llama.cpp's notation (GBNF). @throws RangeError for a repetition above {@link MOST_REPETITIONS} */
export function toGbnf({ rules }: Grammar): string {
  const printer = new Printer()
  for (const [name, node] of rules) printer.rule(name, node)
  return printer.text
}

/** What surrounds an expression: decides whether it needs parentheses. */
type Place = "choice" | "sequence"

class Printer {
  readonly #lines: string[] = []
  /** Rules for what is repeated, by their text. */
  readonly #repeated = new Map<string, string>()

  get text(): string {
    return `${this.#lines.join("\n")}\n`
  }

  rule(name: string, node: GrammarNode): void {
    this.#lines.push(`${name} ::= ${this.#print(node, "choice")}`)
  }

  #print(node: GrammarNode, place: Place): string {
    switch (node.type) {
      case "text":
        return quoted(node.text)
      case "characters":
        return bracketed(node.set)
      case "token":
        return `<[${node.id}]>`
      case "rule":
        return node.name
      case "sequence":
        return node.nodes.length === 0
          ? '""'
          : node.nodes.map((each) => this.#print(each, "sequence")).join(" ")
      case "any-of": {
        // What nothing matches: a character that texts do not contain.
        if (node.nodes.length === 0) return "[\\x00]"
        const inner = node.nodes.map((each) => this.#print(each, "choice")).join(" | ")
        return place === "choice" ? inner : `(${inner})`
      }
      case "repeat":
        return `${this.#unit(node.node)}${times(node.min, node.max)}`
      default:
        return node satisfies never
    }
  }

  /**
   * What is repeated, as one symbol. llama.cpp multiplies the count with the symbols of a group, and refuses more than
   * 2,000 of both together; a rule counts as one.
   */
  #unit(node: GrammarNode): string {
    const isOne =
      node.type === "characters" ||
      node.type === "token" ||
      node.type === "rule" ||
      (node.type === "text" && Array.from(node.text).length === 1)
    const printed = this.#print(node, "choice")
    if (isOne) return printed
    const known = this.#repeated.get(printed)
    if (known !== undefined) return known
    const name = `repeated--${this.#repeated.size + 1}`
    this.#repeated.set(printed, name)
    this.#lines.push(`${name} ::= ${printed}`)
    return name
  }
}

function times(min: number, max: number): string {
  const most = max === Number.POSITIVE_INFINITY ? min : max
  if (most > MOST_REPETITIONS) throw new RangeError(`${most} repetitions are more than llama.cpp counts`)
  if (min === 0 && max === 1) return "?"
  if (max === Number.POSITIVE_INFINITY) return min === 0 ? "*" : min === 1 ? "+" : `{${min},}`
  return min === max ? `{${min}}` : `{${min},${max}}`
}

function quoted(value: string): string {
  return `"${Array.from(value, (character) => escaped(character.codePointAt(0) ?? 0)).join("")}"`
}

function bracketed(set: Characters): string {
  const ranges = set.map(([first, last]) =>
    first === last ? escaped(first) : `${escaped(first)}-${escaped(last)}`,
  )
  return `[${ranges.join("")}]`
}

/** Letters, digits and a few signs as they are, everything else by its number. */
function escaped(codePoint: number): string {
  const character = String.fromCodePoint(codePoint)
  if (/^[A-Za-z0-9 _:.,{}()/+]$/.test(character)) return character
  const hex = codePoint.toString(16).toUpperCase()
  if (codePoint <= 0xff) return `\\x${hex.padStart(2, "0")}`
  return codePoint <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`
}
