import { GoTemplateFault } from "./fault"
import { cutTemplate, type Part, type Token } from "./lexer"
import type { Branch, GoTemplate, Node, Operand, Pipeline, TemplateCommand } from "./syntax"

/** Nesting of blocks and of parenthesized pipelines; far above any real template. */
const MAX_DEPTH = 200

/**
 * Parses a template of Go's text/template (https://pkg.go.dev/text/template).
 * @throws GoTemplateFault
 */
export function parseGoTemplate(source: string): GoTemplate {
  const parser = new TemplateParser(cutTemplate(source))
  const { nodes } = parser.parseList([], 1)
  return { nodes, defined: parser.defined }
}

type Action = Extract<Part, { type: "action" }>

/** A list of nodes and the action that ended it: `end` or an `else`; none at the end of the template. */
interface ParsedList {
  readonly nodes: Node[]
  readonly end: TokenReader | undefined
}

class TemplateParser {
  readonly defined = new Map<string, readonly Node[]>()
  readonly #parts: readonly Part[]
  #next = 0
  #depth = 0
  #loops = 0

  constructor(parts: readonly Part[]) {
    this.#parts = parts
  }

  /**
   * `ends`: the words that may end it; if there are any, one is required. `line`: of the start of the block.
   */
  parseList(ends: readonly string[], line: number): ParsedList {
    if (++this.#depth > MAX_DEPTH) throw new GoTemplateFault("too many blocks in blocks", line)
    const nodes: Node[] = []
    for (let part = this.#parts[this.#next++]; part !== undefined; part = this.#parts[this.#next++]) {
      if (part.type === "text") {
        nodes.push({ type: "text", text: part.text })
        continue
      }
      const reader = new TokenReader(part)
      const keyword = reader.peekWord()
      if (keyword === "end" || keyword === "else") {
        if (!ends.includes(keyword)) throw new GoTemplateFault(`unexpected {{${keyword}}}`, part.line)
        this.#depth--
        reader.take()
        return { nodes, end: reader }
      }
      const node = this.#parseAction(keyword, reader, part.line)
      if (node !== undefined) nodes.push(node)
    }
    if (ends.length > 0) throw new GoTemplateFault("a block is never closed by {{end}}", line)
    this.#depth--
    return { nodes, end: undefined }
  }

  #parseAction(keyword: string | undefined, reader: TokenReader, line: number): Node | undefined {
    switch (keyword) {
      case "if":
      case "with":
        reader.take()
        return this.#parseBranches(keyword, reader, line)
      case "range":
        reader.take()
        return this.#parseRange(reader, line)
      case "define":
        reader.take()
        this.#define(reader, line)
        return undefined
      case "block": {
        reader.take()
        const name = reader.takeString()
        const argument = reader.takePipeline()
        this.defined.set(name, this.#parseBlock(line))
        return { type: "template", name, argument, line }
      }
      case "template": {
        reader.take()
        const name = reader.takeString()
        return { type: "template", name, argument: reader.isDone ? undefined : reader.takePipeline(), line }
      }
      case "break":
      case "continue":
        reader.take()
        reader.expectEnd()
        if (this.#loops === 0) throw new GoTemplateFault(`{{${keyword}}} outside of {{range}}`, line)
        return { type: keyword, line }
      default:
        return { type: "action", pipeline: reader.takePipeline() }
    }
  }

  #parseBranches(type: "if" | "with", reader: TokenReader, line: number): Node {
    const branches: Branch[] = []
    let condition = reader.takePipeline()
    for (;;) {
      const { nodes, end } = this.parseList(["end", "else"], line)
      branches.push({ condition, body: nodes })
      const isElse = end?.word === "else"
      if (end === undefined || !isElse) return { type, branches, otherwise: [] }
      if (end.peekWord() !== type) {
        end.expectEnd()
        return { type, branches, otherwise: this.#parseBlock(line) }
      }
      end.take()
      condition = end.takePipeline()
    }
  }

  #parseRange(reader: TokenReader, line: number): Node {
    const condition = reader.takePipeline()
    this.#loops++
    const { nodes, end } = this.parseList(["end", "else"], line)
    this.#loops--
    const branch = { condition, body: nodes }
    if (end?.word !== "else") return { type: "range", branch, otherwise: [] }
    end.expectEnd()
    return { type: "range", branch, otherwise: this.#parseBlock(line) }
  }

  #define(reader: TokenReader, line: number): void {
    const name = reader.takeString()
    reader.expectEnd()
    const outer = this.#loops
    this.#loops = 0
    this.defined.set(name, this.#parseBlock(line))
    this.#loops = outer
  }

  /** Parses up to its {{end}}. */
  #parseBlock(line: number): Node[] {
    return this.parseList(["end"], line).nodes
  }
}

/** Reads the tokens of one action. */
class TokenReader {
  readonly #tokens: readonly Token[]
  readonly #line: number
  #next = 0
  #depth = 0

  constructor(action: Action) {
    this.#tokens = action.tokens
    this.#line = action.line
  }

  get isDone(): boolean {
    return this.#next >= this.#tokens.length
  }

  /** The first word of the action. */
  get word(): string | undefined {
    return this.#tokens[0]?.text
  }

  peekWord(): string | undefined {
    const token = this.#tokens[this.#next]
    return token?.kind === "word" ? token.text : undefined
  }

  take(): Token {
    const token = this.#tokens[this.#next++]
    if (token === undefined) throw new GoTemplateFault("an action ends too early", this.#line)
    return token
  }

  takeString(): string {
    const token = this.take()
    if (token.kind !== "string") throw this.#unexpected(token)
    return token.text
  }

  expectEnd(): void {
    if (!this.isDone) throw this.#unexpected(this.take())
  }

  /** Parses the rest of the action. */
  takePipeline(): Pipeline {
    const pipeline = this.#pipeline()
    this.expectEnd()
    return pipeline
  }

  #pipeline(): Pipeline {
    if (++this.#depth > MAX_DEPTH) throw new GoTemplateFault("too many parentheses", this.#line)
    const line = this.#tokens[this.#next]?.line ?? this.#line
    const { variables, declares } = this.#declarations()
    const commands: TemplateCommand[] = []
    do commands.push(this.#command())
    while (this.#takeMark("|"))
    this.#depth--
    return { variables, declares, commands, line }
  }

  /** Parses `$x :=`, `$x =` or `$i, $x :=`, if present. */
  #declarations(): Pick<Pipeline, "variables" | "declares"> {
    const names: string[] = []
    for (let at = this.#next; this.#tokens[at]?.kind === "variable"; at += 2) {
      names.push(this.#tokens[at]?.text ?? "")
      const mark = this.#tokens[at + 1]
      if (mark?.kind !== "mark") break
      if (mark.text === ":=" || mark.text === "=") {
        this.#next = at + 2
        return { variables: names, declares: mark.text === ":=" }
      }
      if (mark.text !== ",") break
    }
    return { variables: [], declares: false }
  }

  #command(): TemplateCommand {
    const first = this.#operand()
    const operands: [Operand, ...Operand[]] = [first]
    const line = this.#tokens[this.#next - 1]?.line ?? this.#line
    while (!this.isDone && !this.#isMark("|") && !this.#isMark(")")) operands.push(this.#operand())
    return { operands, line }
  }

  #operand(): Operand {
    const token = this.take()
    switch (token.kind) {
      case "string":
        return { type: "constant", value: token.text }
      case "number":
        return { type: "constant", value: Number(token.text) }
      case "dot":
        return { type: "dot", fields: [] }
      case "field":
        return { type: "dot", fields: [token.text, ...this.#fields()] }
      case "variable":
        return { type: "variable", name: token.text, fields: this.#fields() }
      case "word":
        return wordOperand(token.text)
      case "mark": {
        if (token.text !== "(") throw this.#unexpected(token)
        const pipeline = this.#pipeline()
        if (!this.#takeMark(")")) throw new GoTemplateFault("'(' is never closed by ')'", token.line)
        return { type: "pipeline", pipeline, fields: this.#fields() }
      }
    }
  }

  /** Fields that follow without a space. */
  #fields(): string[] {
    const fields: string[] = []
    for (let token = this.#tokens[this.#next]; token?.kind === "field" && !token.isApart;) {
      fields.push(token.text)
      token = this.#tokens[++this.#next]
    }
    return fields
  }

  #isMark(text: string): boolean {
    const token = this.#tokens[this.#next]
    return token?.kind === "mark" && token.text === text
  }

  #takeMark(text: string): boolean {
    if (!this.#isMark(text)) return false
    this.#next++
    return true
  }

  #unexpected({ text, line }: Token): GoTemplateFault {
    return new GoTemplateFault(`unexpected '${text}' in an action`, line)
  }
}

function wordOperand(word: string): Operand {
  switch (word) {
    case "true":
    case "false":
      return { type: "constant", value: word === "true" }
    case "nil":
      return { type: "nil" }
    default:
      return { type: "function", name: word }
  }
}
