import { collate, STATE, TURNS } from "./conversation"
import { GoTemplateFault } from "./fault"
import { callFunction, literal, printed, type TemplateValue } from "./functions"
import { parseGoTemplate } from "./parse"
import { anything, flag, messages, number, type Shape, textShape, tools } from "./shapes"
import type { Branch, GoTemplate, Node, Operand, Pipeline, TemplateCommand } from "./syntax"
import { mentions, withoutAnswer } from "./walk"

/** Maximum length of a translation: `template` actions are expanded inline. */
const MAX_LENGTH = 1_000_000

/**
 * Translates a Go template, as Ollama applies it to chats, to an equivalent Jinja template. Templates that
 * use `.Messages` are applied once; others to each turn, which is a system message, a prompt and a response,
 * the last one up to the start of its response. A template without `.Response` is treated as ending with it.
 * @throws GoTemplateFault with the line of the error or unsupported feature
 */
export function translateGoTemplate(source: string): string {
  const template = parseGoTemplate(source)
  const collated = collate((field) => mentions(template, field))
  if (mentions(template, "Messages")) {
    const translator = new Translator(template, conversation)
    translator.list(template.nodes)
    return collated + translator.result()
  }
  const response: Node = {
    type: "action",
    pipeline: {
      variables: [],
      declares: false,
      commands: [{ operands: [{ type: "dot", fields: ["Response"] }], line: 1 }],
      line: 1,
    },
  }
  const nodes = mentions(template, "Response") ? template.nodes : [...template.nodes, response]
  const translator = new Translator(template, turn)
  translator.emit("{%- for turn in go.turns -%}{%- set first_turn = loop.first -%}")
  translator.emit(`{%- if loop.last and (add_generation_prompt or go.messages[-1].role != "assistant") -%}`)
  translator.list(withoutAnswer(nodes))
  translator.emit("{%- else -%}")
  translator.list(nodes)
  translator.emit("{%- endif -%}{%- endfor -%}")
  return collated + TURNS + translator.result()
}

/** The data of a template as a value whose fields are Jinja variables. */
function root(variables: Readonly<Record<string, readonly [code: string, shape: Shape]>>): TemplateValue {
  const fields = Object.entries(variables).map(([field, [name, shape]]) => [field, { name, shape }])
  return { code: "", shape: { print: "json", fields: Object.fromEntries(fields) } }
}

const COMMON = {
  Suffix: [`(suffix or "")`, textShape],
  Tools: ["(tools or [])", tools],
  Think: ["enable_thinking", flag],
  IsThinkSet: ["(enable_thinking is defined)", flag],
  ThinkLevel: [`(reasoning_effort or "")`, textShape],
} as const

const conversation = root({
  ...COMMON,
  Messages: ["go.messages", messages],
  System: ["go.system", textShape],
  Prompt: [`""`, textShape],
  Response: [`""`, textShape],
})

const turn = root({
  ...COMMON,
  System: ["turn.system", textShape],
  Prompt: ["turn.prompt", textShape],
  Response: ["turn.response", textShape],
  /** From Ollama's first releases. */
  First: ["first_turn", flag],
})

/** The translator's current scope. */
interface Scope {
  readonly dot: TemplateValue
  readonly root: TemplateValue
  /** By name, without `$`. Each block has its own copy. */
  readonly variables: Map<string, TemplateValue>
  /** The innermost loop, if it has a break or continue. */
  readonly loop: LoopFlags | undefined
  /** Names of the templates being expanded. */
  readonly within: readonly string[]
}

/** Variables that mark the end of an iteration or of the whole loop; output before that counts. */
interface LoopFlags {
  readonly skips: string
  readonly stops: string
}

class Translator {
  readonly #template: GoTemplate
  readonly #parts: string[] = []
  #scope: Scope
  #length = 0
  #names = 0

  constructor(template: GoTemplate, root: TemplateValue) {
    this.#template = template
    this.#scope = { dot: root, root, variables: new Map(), loop: undefined, within: [] }
  }

  result(): string {
    return this.#parts.join("")
  }

  emit(code: string): void {
    this.#grow(code.length)
    this.#parts.push(code)
  }

  #grow(by: number): void {
    this.#length += by
    if (this.#length > MAX_LENGTH)
      throw new GoTemplateFault("the template is too large once it is expanded", 1)
  }

  /** Translates nodes in order; those after one that may leave the loop are conditional. */
  list(nodes: readonly Node[]): void {
    let guards = 0
    for (const [index, node] of nodes.entries()) {
      this.#node(node)
      const { loop } = this.#scope
      if (loop === undefined || index === nodes.length - 1 || !leavesLoop(node)) continue
      this.emit(`{%- if not ${loop.skips} -%}`)
      guards++
    }
    this.emit("{%- endif -%}".repeat(guards))
  }

  #node(node: Node): void {
    // Nested templates multiply even if none contains any text.
    this.#grow(1)
    switch (node.type) {
      case "text":
        return this.emit(`{{- ${literal(node.text)} -}}`)
      case "action":
        return this.#action(node.pipeline)
      case "if":
      case "with":
        return this.#branches(node, node.branches)
      case "range":
        return this.#range(node)
      case "template":
        return this.#include(node)
      case "break":
      case "continue":
        return this.#leave(node)
      default:
        node satisfies never
    }
  }

  #action(pipeline: Pipeline): void {
    const value = this.#pipeline(pipeline)
    if (pipeline.variables.length === 0) this.emit(`{{- ${printed(asValue(value, pipeline.line))} -}}`)
  }

  #branches(node: Extract<Node, { type: "if" | "with" }>, [branch, ...others]: readonly Branch[]): void {
    if (branch === undefined) return this.#inBlock({}, () => this.list(node.otherwise))
    this.#inBlock({}, () => {
      const condition = this.#pipeline(branch.condition)
      const kept = node.type === "with" ? this.#keep(condition) : condition
      this.emit(`{%- if ${kept.code || "true"} -%}`)
      this.#inBlock(node.type === "with" ? { dot: kept } : {}, () => this.list(branch.body))
      if (others.length + node.otherwise.length > 0) {
        this.emit("{%- else -%}")
        this.#branches(node, others)
      }
      this.emit("{%- endif -%}")
    })
  }

  #range({ branch, otherwise }: Extract<Node, { type: "range" }>): void {
    const { commands, variables, line } = branch.condition
    const over = this.#commands(commands)
    const { element, isMap } = over.shape
    if (element === undefined) throw new GoTemplateFault("'range' needs a list or a map", line)
    const item = this.#name("item")
    const key = this.#name("key")
    this.emit(
      isMap === true
        ? `{%- for ${key}, ${item} in (${over.code} or {})|dictsort(case_sensitive=true) -%}`
        : `{%- for ${item} in (${over.code} or []) -%}{%- set ${key} = loop.index0 -%}`,
    )
    const dot = { code: item, shape: element }
    const index = { code: key, shape: isMap === true ? textShape : number }
    const loop = branch.body.some(leavesLoop) ? this.#startLoop() : undefined
    this.#inBlock({ dot, loop }, () => {
      const [indexName, itemName] = loopVariables(variables)
      if (indexName !== undefined) this.#declare(indexName, index, branch.condition)
      if (itemName !== undefined) this.#declare(itemName, dot, branch.condition)
      this.list(branch.body)
    })
    if (loop !== undefined) this.emit("{%- endif -%}")
    if (otherwise.length > 0) {
      this.emit("{%- else -%}")
      this.#inBlock({}, () => this.list(otherwise))
    }
    this.emit("{%- endfor -%}")
  }

  #startLoop(): LoopFlags {
    const loop = { skips: `${STATE}.${this.#name("skips")}`, stops: `${STATE}.${this.#name("stops")}` }
    this.emit(
      `{%- if loop.first -%}{%- set ${loop.stops} = false -%}{%- endif -%}{%- set ${loop.skips} = ${loop.stops} -%}` +
        `{%- if not ${loop.skips} -%}`,
    )
    return loop
  }

  #leave({ type, line }: Extract<Node, { type: "break" | "continue" }>): void {
    const { loop } = this.#scope
    if (loop === undefined) throw new GoTemplateFault(`{{${type}}} outside of {{range}}`, line)
    this.emit(`{%- set ${loop.skips} = true -%}`)
    if (type === "break") this.emit(`{%- set ${loop.stops} = true -%}`)
  }

  #include({ name, argument, line }: Extract<Node, { type: "template" }>): void {
    const nodes = this.#template.defined.get(name)
    if (nodes === undefined) throw new GoTemplateFault(`no template is defined as ${literal(name)}`, line)
    if (this.#scope.within.includes(name))
      throw new GoTemplateFault(`the template ${literal(name)} contains itself, which is not supported`, line)
    const dot = argument === undefined ? NOTHING : this.#pipeline(argument)
    const kept = dot.code === "" ? dot : this.#keep(dot)
    const within = [...this.#scope.within, name]
    this.#inBlock({ dot: kept, root: kept, variables: new Map(), loop: undefined, within }, () =>
      this.list(nodes),
    )
  }

  /** Translates a pipeline, including its assignments, and returns the value. */
  #pipeline(pipeline: Pipeline): TemplateValue {
    const value = this.#commands(pipeline.commands)
    const [name, ...others] = pipeline.variables
    if (name === undefined) return value
    if (others.length > 0)
      throw new GoTemplateFault("two variables are set at once outside of 'range'", pipeline.line)
    return this.#declare(name, value, pipeline)
  }

  #commands(commands: readonly TemplateCommand[]): TemplateValue {
    let value: TemplateValue | undefined
    for (const command of commands) value = this.#command(command, value)
    return value ?? NOTHING
  }

  #command(
    { operands: [first, ...rest], line }: TemplateCommand,
    piped: TemplateValue | undefined,
  ): TemplateValue {
    const given = rest.map((operand) => this.#operand(operand, line))
    const values = [...given, ...(piped === undefined ? [] : [piped])].map((value) => asValue(value, line))
    if (first.type === "function") return callFunction(first.name, values, line)
    if (values.length > 0)
      throw new GoTemplateFault("arguments are given to something that is not a function", line)
    return this.#operand(first, line)
  }

  #operand(operand: Operand, line: number): TemplateValue {
    switch (operand.type) {
      case "nil":
        return NOTHING
      case "constant":
        return constant(operand.value)
      case "dot":
        return fieldsOf(this.#scope.dot, operand.fields, line)
      case "variable":
        return fieldsOf(this.#variable(operand.name, line), operand.fields, line)
      case "function":
        return callFunction(operand.name, [], line)
      case "pipeline":
        return fieldsOf(this.#pipeline(operand.pipeline), operand.fields, line)
    }
  }

  #variable(name: string, line: number): TemplateValue {
    if (name === "") return this.#scope.root
    const value = this.#scope.variables.get(name)
    if (value === undefined) throw new GoTemplateFault(`the variable $${name} is not declared`, line)
    return value
  }

  #declare(name: string, value: TemplateValue, { declares, line }: Pipeline): TemplateValue {
    if (name === "") throw new GoTemplateFault("$ cannot be set", line)
    if (!declares) return this.#assign(name, value, line)
    const kept = this.#keep(value)
    this.#scope.variables.set(name, kept)
    return kept
  }

  #assign(name: string, value: TemplateValue, line: number): TemplateValue {
    const old = this.#variable(name, line)
    this.emit(`{%- set ${old.code} = ${value.code} -%}`)
    return old.shape === value.shape ? old : { ...old, shape: anything }
  }

  /** Stores a value in a Jinja variable, evaluated here. */
  #keep(value: TemplateValue): TemplateValue {
    if (value.code === "") return value
    const code = `${STATE}.${this.#name("v")}`
    this.emit(`{%- set ${code} = ${value.code} -%}`)
    return { ...value, code }
  }

  #inBlock(change: Partial<Scope>, work: () => void): void {
    const outer = this.#scope
    this.#scope = { ...outer, variables: new Map(outer.variables), ...change }
    work()
    this.#scope = outer
  }

  #name(prefix: string): string {
    return `${prefix}${++this.#names}`
  }
}

const NOTHING: TemplateValue = { code: "none", shape: anything }

/** The root data of a template has no expression of its own. */
function asValue(value: TemplateValue, line: number): TemplateValue {
  if (value.code === "")
    throw new GoTemplateFault("the whole data ('.') cannot be printed or computed with", line)
  return value
}

function constant(value: string | number | boolean): TemplateValue {
  if (typeof value === "string") return { code: literal(value), shape: textShape }
  return { code: String(value), shape: typeof value === "number" ? number : flag }
}

/** A single variable is the element; of two, the first is the index. */
function loopVariables(
  variables: readonly string[],
): readonly [index: string | undefined, item: string | undefined] {
  const [first, second] = variables
  return second === undefined ? [undefined, first] : [first, second]
}

function fieldsOf(value: TemplateValue, fields: readonly string[], line: number): TemplateValue {
  return fields.reduce((from, name) => fieldOf(from, name, line), value)
}

function fieldOf({ code, shape }: TemplateValue, name: string, line: number): TemplateValue {
  const field =
    shape.fields !== undefined && Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined
  if (field !== undefined) {
    return { code: code === "" ? field.name : `${code}[${literal(field.name)}]`, shape: field.shape }
  }
  if (shape.isOpen === true || shape.isMap === true)
    return { code: `${code}[${literal(name)}]`, shape: shape.element ?? anything }
  throw new GoTemplateFault(`unknown field '.${name}'${known(shape)}`, line)
}

function known({ fields = {} }: Shape): string {
  const names = Object.keys(fields).map((name) => `.${name}`)
  return names.length === 0 ? "" : `; there are ${names.join(", ")}`
}

/** Does the node contain a `break` or `continue` of its own loop? */
function leavesLoop(node: Node): boolean {
  switch (node.type) {
    case "break":
    case "continue":
      return true
    case "if":
    case "with":
      return [...node.branches.map(({ body }) => body), node.otherwise].some((nodes) =>
        nodes.some(leavesLoop),
      )
    default:
      return false
  }
}
