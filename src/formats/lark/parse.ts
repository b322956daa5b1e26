import { LarkError, lexLark, type LarkToken } from "./lex"

export type LarkNode =
  | { readonly type: "text" | "expression"; readonly text: string; readonly flags: string }
  | { readonly type: "range"; readonly from: string; readonly to: string }
  | { readonly type: "reference"; readonly name: string }
  | { readonly type: "either" | "sequence"; readonly parts: readonly LarkNode[] }
  | { readonly type: "repeat"; readonly part: LarkNode; readonly min: number; readonly max: number }

export interface LarkGrammar {
  readonly rules: ReadonlyMap<string, LarkNode>
  /** What may stand between the terminals of rules. */
  readonly ignored: readonly LarkNode[]
  /** Terminals of Lark's own library, by the names that the grammar has for them. */
  readonly imports: ReadonlyMap<string, string>
}

/** Groups within each other: the reader is recursive. */
const DEEPEST = 64

/** @throws LarkError */
export function parseLark(source: string): LarkGrammar {
  return new Parser(lexLark(source)).grammar()
}

class Parser {
  readonly #tokens: readonly LarkToken[]
  readonly #rules = new Map<string, LarkNode>()
  readonly #ignored: LarkNode[] = []
  readonly #imports = new Map<string, string>()
  #at = 0
  #depth = 0

  constructor(tokens: readonly LarkToken[]) {
    this.#tokens = tokens
  }

  grammar(): LarkGrammar {
    while (this.#at < this.#tokens.length) this.#statement()
    return { rules: this.#rules, ignored: this.#ignored, imports: this.#imports }
  }

  #statement(): void {
    const token = this.#next()
    if (token?.type === "directive") return this.#directive(token.text)
    if (token?.type !== "name") throw new LarkError(`a rule must begin with its name, not '${shown(token)}'`)
    if (this.#takes(".") && this.#next()?.type !== "number")
      throw new LarkError("a priority must be a number")
    if (!this.#takes(":")) throw new LarkError(`'${token.text}' is no rule that can be translated`)
    this.#rules.set(bareName(token.text), this.#choice())
  }

  #directive(name: string): void {
    if (name === "%ignore") return void this.#ignored.push(this.#choice())
    if (name !== "%import") throw new LarkError(`${name} cannot be translated`)
    const path = [this.#name()]
    while (this.#takes(".")) path.push(this.#name())
    if (path.shift() !== "common") throw new LarkError("only the library 'common' can be imported")
    const names = path.length > 0 ? path : this.#list()
    const alias = this.#takes("->") ? this.#name() : undefined
    for (const imported of names) this.#imports.set(alias ?? imported, imported)
  }

  /** `(A, B)` */
  #list(): readonly string[] {
    const names: string[] = []
    if (!this.#takes("(")) return names
    do names.push(this.#name())
    while (this.#takes(","))
    if (!this.#takes(")")) throw new LarkError("a ')' is missing")
    return names
  }

  #name(): string {
    const token = this.#next()
    if (token?.type !== "name") throw new LarkError(`a name is missing before '${shown(token)}'`)
    return token.text
  }

  #choice(): LarkNode {
    if (++this.#depth > DEEPEST) throw new LarkError(`it has more than ${DEEPEST} groups within each other`)
    const parts = [this.#sequence()]
    while (this.#takes("|")) parts.push(this.#sequence())
    this.#depth--
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { type: "either", parts }
  }

  #sequence(): LarkNode {
    const parts: LarkNode[] = []
    while (this.#isPart()) parts.push(this.#repeated(this.#atom()))
    // The name of a node in Lark's trees.
    if (this.#takes("->")) this.#name()
    return { type: "sequence", parts }
  }

  /** Is the next token a part of the sequence, and not the beginning of the next rule? */
  #isPart(): boolean {
    const token = this.#tokens[this.#at]
    if (token === undefined || token.type === "directive" || token.type === "number") return false
    if (token.type === "mark") return token.text === "(" || token.text === "["
    return token.type !== "name" || !this.#isDefinition()
  }

  #isDefinition(): boolean {
    const [first, second, third] = this.#tokens.slice(this.#at + 1, this.#at + 4)
    if (first?.type !== "mark") return false
    if (first.text === ":") return true
    return first.text === "." && second?.type === "number" && third?.text === ":"
  }

  #atom(): LarkNode {
    const token = this.#next()
    if (token?.type === "name") return { type: "reference", name: bareName(token.text) }
    if (token?.type === "expression") return token as LarkNode
    if (token?.type === "text") return this.#takes("..") ? this.#range(token.text) : (token as LarkNode)
    const isOptional = token?.text === "["
    const inner = this.#choice()
    if (!this.#takes(isOptional ? "]" : ")")) throw new LarkError("a bracket is not closed")
    return isOptional ? { type: "repeat", part: inner, min: 0, max: 1 } : inner
  }

  #range(from: string): LarkNode {
    const to = this.#next()
    if (to?.type !== "text") throw new LarkError("a range has no end")
    return { type: "range", from, to: to.text }
  }

  #repeated(part: LarkNode): LarkNode {
    if (this.#takes("*")) return { type: "repeat", part, min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#takes("+")) return { type: "repeat", part, min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#takes("?")) return { type: "repeat", part, min: 0, max: 1 }
    if (!this.#takes("~")) return part
    const min = this.#count()
    return { type: "repeat", part, min, max: this.#takes("..") ? this.#count() : min }
  }

  #count(): number {
    const token = this.#next()
    if (token?.type !== "number") throw new LarkError("a repetition has no number")
    return Number(token.text)
  }

  #takes(mark: string): boolean {
    const token = this.#tokens[this.#at]
    if (token?.type !== "mark" || token.text !== mark) return false
    this.#at++
    return true
  }

  #next(): LarkToken | undefined {
    return this.#tokens[this.#at++]
  }
}

/** Without the marks that only concern Lark's trees. */
function bareName(name: string): string {
  return name.replace(/^[!?]+/, "")
}

function shown(token: LarkToken | undefined): string {
  return token === undefined ? "the end" : token.text.slice(0, 40)
}
