import type { Tool, ToolUse } from "../../domain/tools"
import { InvalidRequest } from "../../errors/request"
import { ALL_CHARACTERS, charactersIn } from "../../grammar/characters"
import { jsonNotation } from "../../grammar/json"
import {
  anyOf,
  characters,
  type GrammarNode,
  NOTHING,
  optional,
  repeat,
  sequence,
  terminal,
} from "../../grammar/node"
import type { Notation } from "../../grammar/notation"
import type { Grammar } from "../../grammar/print"
import { Rules } from "../../grammar/rules"
import { schemaNode, type Unenforced } from "../../grammar/schema/compile"
import { isRecord, type Schema, wrong } from "../../grammar/schema/document"
import { merged } from "../../grammar/schema/merge"
import { oneOfTextsThen } from "../../grammar/trie"
import { possible, usable } from "../../grammar/usable"
import type { ControlToken } from "./control-tokens"
import { rulesInString } from "./grammar/in-string"
import { MarkerNodes } from "./grammar/marker-nodes"
import { taggedNotation } from "./grammar/notations"
import { textWithout } from "./grammar/text-without"
import type { CallSyntax, Marker, MarkerPart, ToolSyntax } from "./syntax"

/**
 * What may follow the last call. A model may have begun the blanks before a further call when it ends its answer: without
 * them it would have to write that call. They are few, as some models never stop writing them.
 */
const BLANKS = repeat(characters(charactersIn(" \t\r\n")), 0, 4)

export interface ToolGrammarOptions {
  readonly syntax: ToolSyntax
  readonly use: ToolUse
  /** Tokens in the markers, which the grammar names by their ids. */
  readonly controlTokens?: readonly ControlToken[]
  /** The trigger that the answer has written already, one of `triggersOf(syntax)`; absent: nothing of the section. */
  readonly after?: string
  /** How many calls the conversation has before the answer; default 0. */
  readonly earlierCalls?: number
  /** Text is an answer too, where the family marks it (`isOpened`). */
  readonly allowsText?: boolean
}

export interface ToolGrammar {
  readonly grammar: Grammar
  /** Keywords of schemas that are not enforced, each with its tool. */
  readonly warnings: readonly string[]
}

/**
 * The grammar of calls and nothing else: names from the list, and each with arguments that its tool's schema allows.
 * @throws InvalidRequest for parameters that are no schema, and for what a strict tool demands and cannot be enforced
 */
export function toolGrammar(options: ToolGrammarOptions): ToolGrammar {
  return new ToolGrammarWriter(options).write()
}

interface WrittenTool {
  readonly tool: Tool
  readonly node: GrammarNode
}

class ToolGrammarWriter {
  readonly #options: ToolGrammarOptions
  readonly #rules = new Rules()
  readonly #markers: MarkerNodes
  readonly #warnings: string[] = []
  /** The arguments of tools, once for each form of calls. */
  readonly #written = new Map<CallSyntax, readonly WrittenTool[]>()
  /** What follows the names of tools, and of the first call of an answer where that has another number. */
  readonly #followed = new Map<CallSyntax, readonly WrittenTool[]>()
  readonly #firstFollowed = new Map<CallSyntax, readonly WrittenTool[]>()
  #json: Notation | undefined

  constructor(options: ToolGrammarOptions) {
    this.#options = options
    this.#markers = new MarkerNodes(
      options.controlTokens ?? [],
      options.syntax.idForm,
      options.earlierCalls ?? 0,
    )
  }

  write(): ToolGrammar {
    const { syntax, use, after } = this.#options
    const variants = [syntax.call, ...(syntax.variants ?? [])]
    const begun = variants.flatMap((call) => {
      const start = startAfter([...syntax.sectionStart, ...call.start], after)
      return start === undefined ? [] : [{ call, start }]
    })
    // From the start, only the family's main form is forced.
    const firsts = after === undefined ? begun.slice(0, 1) : begun
    const isParallel = syntax.isParallel && use.isParallel
    const further = isParallel
      ? this.#rules.add(
          "further-call",
          this.#call(syntax.call, [...syntax.separator, ...syntax.call.start], false),
        )
      : NOTHING
    const calls = sequence(
      anyOf(...firsts.map(({ call, start }) => this.#call(call, start, true))),
      repeat(further, 0, Number.POSITIVE_INFINITY),
      BLANKS,
      ...(syntax.sectionEnd.length > 0 ? [this.#markers.of(syntax.sectionEnd), BLANKS] : []),
    )
    const root = this.#options.allowsText === true ? this.#orText(calls) : calls
    return { grammar: possible(this.#rules.grammar(root), "schema"), warnings: this.#warnings }
  }

  #orText(calls: GrammarNode): GrammarNode {
    const { text } = this.#options.syntax
    if (text === undefined) return calls
    const said =
      text.end === ""
        ? repeat(characters(ALL_CHARACTERS), 0, Number.POSITIVE_INFINITY)
        : sequence(
            textWithout(text.end, this.#rules),
            optional(sequence(this.#markers.text(text.end), calls)),
          )
    return anyOf(calls, sequence(this.#markers.text(text.start), said))
  }

  /** One call. `start`: the markers before its name. `isFirst`: of the answer. */
  #call(call: CallSyntax, start: Marker, isFirst: boolean): GrammarNode {
    const tools = this.#argumentsOf(call, isFirst)
    const of = (marker: Marker, name?: string): GrammarNode =>
      this.#markers.of(marker, name === undefined ? {} : { name }, isFirst)
    if (call.isNameLast === true)
      return anyOf(
        ...tools.map(({ tool: { name }, node }) =>
          sequence(of(start, name), node, of(call.nameEnd, name), terminal(name), of(call.end, name)),
        ),
      )
    // Up to the name all calls are the same; the markers may have it as well.
    const at = start.findIndex((part) => part.type === "name")
    const [before, between] = at < 0 ? [start, undefined] : [start.slice(0, at), start.slice(at + 1)]
    const named = tools.map(({ tool: { name }, node }) => {
      const more = between === undefined ? NOTHING : sequence(of(between, name), terminal(name))
      return [name, sequence(more, this.#rules.add(`call-${name}`, node))] as const
    })
    return sequence(of(before), oneOfTextsThen(named))
  }

  /** For each tool that may be called: what follows its name, or its arguments alone where they come first. */
  #argumentsOf(call: CallSyntax, isFirst: boolean): readonly WrittenTool[] {
    const written = this.#written.get(call) ?? this.#schemas(call, this.#callable())
    this.#written.set(call, written)
    if (call.isNameLast === true) return written
    const followed = isFirst && hasNumber(call) ? this.#firstFollowed : this.#followed
    const known = followed.get(call) ?? written.map((tool) => this.#follow(call, tool, isFirst))
    followed.set(call, known)
    return known
  }

  #callable(): readonly { readonly tool: Tool; readonly index: number }[] {
    const { use } = this.#options
    const callable = use.callable === undefined ? undefined : new Set(use.callable)
    return use.tools
      .map((tool, index) => ({ tool, index }))
      .filter(({ tool }) => callable?.has(tool.name) ?? true)
  }

  #follow(call: CallSyntax, { tool, node }: WrittenTool, isFirst: boolean): WrittenTool {
    const { name, parameters } = tool
    const of = (marker: Marker): GrammarNode => this.#markers.of(marker, { name }, isFirst)
    const whole = sequence(of(call.nameEnd), node, of(call.end))
    const empty = call.empty !== undefined && mayBeEmpty(parameters) ? [of(call.empty)] : []
    return { tool, node: anyOf(whole, ...empty) }
  }

  #schemas(
    { arguments: form }: CallSyntax,
    tools: readonly { readonly tool: Tool; readonly index: number }[],
  ): readonly WrittenTool[] {
    const schemas = (rules: Rules, notation: Notation): readonly WrittenTool[] =>
      tools.map(({ tool, index }) => ({ tool, node: this.#schema(tool, index, rules, notation) }))
    switch (form.type) {
      case "json":
        this.#json ??= jsonNotation(this.#rules)
        return schemas(this.#rules, this.#json)
      case "json-text": {
        const rules = new Rules()
        const nodes = schemas(rules, jsonNotation(rules))
        const inString = rulesInString({ rules: rules.grammar(NOTHING).rules }, this.#rules)
        return nodes.map(({ tool, node }) => ({ tool, node: inString(node) }))
      }
      case "tagged":
        return schemas(this.#rules, taggedNotation(form, this.#markers, this.#rules))
      default:
        return form satisfies never
    }
  }

  #schema(tool: Tool, index: number, rules: Rules, notation: Notation): GrammarNode {
    const place = `tools[${index}].function.parameters`
    try {
      const { node, unenforced, places } = schemaNode(asObject(tool.parameters), rules, notation)
      // The check of the whole grammar could not say which tool it is about.
      usable(rules.part(node), "schema", places)
      const [first] = unenforced
      if (tool.isStrict && first !== undefined)
        throw new InvalidRequest(
          `the parameters of the strict tool '${tool.name}' cannot be kept: ${sentence(first)}`,
          `${place}${dotted(first.path)}`,
        )
      for (const each of unenforced) this.#warn(`not enforced in tool '${tool.name}': ${sentence(each)}`)
      return node
    } catch (error) {
      if (!(error instanceof InvalidRequest) || error.param !== undefined) throw error
      throw new InvalidRequest(`in the parameters of tool '${tool.name}', ${error.message}`, place)
    }
  }

  #warn(text: string): void {
    if (!this.#warnings.includes(text)) this.#warnings.push(text)
  }
}

/** Arguments are an object, whether their schema says so or not. */
function asObject(parameters: unknown): Schema {
  if (!isRecord(parameters)) return { type: "object" }
  const { type } = parameters
  if (type === "object") return parameters
  if (typeof type === "string") throw wrong("#/type", 'must be "object"', type)
  return merged(parameters, { type: "object" })
}

/** What is left of a marker after a trigger; undefined if it begins in another way. */
function startAfter(marker: Marker, after: string | undefined): Marker | undefined {
  if (after === undefined) return marker
  const joined: MarkerPart[] = []
  for (const part of marker) {
    const last = joined.at(-1)
    if (part.type === "text" && last?.type === "text")
      joined[joined.length - 1] = { type: "text", text: last.text + part.text }
    else joined.push(part)
  }
  const [first, ...others] = joined
  const text = first?.type === "text" ? first.text.replace(/^\n+/, "") : ""
  return text.startsWith(after) ? [{ type: "text", text: text.slice(after.length) }, ...others] : undefined
}

function hasNumber({ nameEnd, end, empty = [] }: CallSyntax): boolean {
  return [nameEnd, end, empty].flat().some(({ type }) => type === "index")
}

/** Can a tool be called without arguments? */
function mayBeEmpty(parameters: unknown): boolean {
  if (!isRecord(parameters)) return true
  const { required, minProperties, anyOf: any, oneOf, allOf, $ref } = parameters
  const isRequired = Array.isArray(required) && required.length > 0
  return !isRequired && [minProperties, any, oneOf, allOf, $ref].every((each) => each === undefined)
}

function sentence({ path, reason }: Unenforced): string {
  return `${path}: ${reason}`
}

/** A JSON pointer as the path of a field: `#/properties/a` is `.properties.a`. */
function dotted(pointer: string): string {
  return pointer
    .split("/")
    .slice(1)
    .map((key) => `.${key.replaceAll("~1", "/").replaceAll("~0", "~")}`)
    .join("")
}
