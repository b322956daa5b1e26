import { InvalidRequest } from "../errors/request"
import { MOST_GRAMMAR_RULES } from "../limits"
import { namesIn } from "./analysis"
import type { GrammarNode } from "./node"
import type { Grammar } from "./print"

/** Collects the rules of one grammar. */
export class Rules {
  readonly #rules = new Map<string, GrammarNode>()
  readonly #names = new Map<string, number>()
  /** Rules by the text of their expression, so that equal ones are written once. */
  readonly #known = new Map<string, GrammarNode>()

  /** A reference to a rule with this expression. `hint`: a readable name for it. */
  add(hint: string, expression: GrammarNode): GrammarNode {
    if (expression.type === "rule") return expression
    const key = JSON.stringify(expression)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const name = this.reserve(hint)
    this.define(name, expression)
    const reference: GrammarNode = { type: "rule", name }
    this.#known.set(key, reference)
    return reference
  }

  /** A new name, for a rule that is defined later because it refers to itself. */
  reserve(hint: string): string {
    const base =
      hint
        .replaceAll(/[^A-Za-z0-9]+/g, "-")
        .replaceAll(/^-+|-+$/g, "")
        .slice(0, 40) || "rule"
    const count = this.#names.get(base) ?? 0
    this.#names.set(base, count + 1)
    return count === 0 && base !== "root" ? base : `${base}--${count + 1}`
  }

  /** @throws InvalidRequest if there are too many rules */
  define(name: string, expression: GrammarNode): void {
    if (this.#rules.size >= MOST_GRAMMAR_RULES)
      throw new InvalidRequest(
        `the grammar needs more than ${MOST_GRAMMAR_RULES} rules; use a smaller schema`,
      )
    this.#rules.set(name, expression)
  }

  /** The grammar of `expression` alone: without rules that it does not need. */
  part(expression: GrammarNode): Grammar {
    const rules = new Map([["root", expression]])
    const open = [...namesIn(expression)]
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const node = this.#rules.get(name)
      if (rules.has(name) || node === undefined) continue
      rules.set(name, node)
      open.push(...namesIn(node))
    }
    return { rules }
  }

  /** The grammar that begins with `expression`. */
  grammar(expression: GrammarNode): Grammar {
    return { rules: new Map([["root", expression], ...this.#rules]) }
  }
}
