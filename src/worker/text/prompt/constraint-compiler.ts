import type { OutputConstraint } from "../../../domain/chat"
import type { ToolUse } from "../../../domain/tools"
import { InvalidRequest } from "../../../errors/request"
import { repeatsAmbiguously } from "../../../grammar/ambiguity"
import { parseGbnf } from "../../../grammar/gbnf/parse"
import { eitherGrammar, surrounded } from "../../../grammar/combine"
import { characters, type GrammarNode, NOTHING, optional, sequence, terminal } from "../../../grammar/node"
import { type Grammar, toGbnf } from "../../../grammar/print"
import { parseRegex, RegexError } from "../../../grammar/regex/parse"
import { matched } from "../../../grammar/regex/to-node"
import { tokensIn } from "../../../grammar/tokens"
import { oneOfTexts } from "../../../grammar/trie"
import { compileSchema, type Unenforced } from "../../../grammar/schema/compile"
import { NativeGrammar } from "../../../llama/grammar"
import type { Library } from "../../../llama/library"
import type { Vocabulary } from "../../../llama/vocabulary"
import type { TextMarkers } from "../../../prompt/reasoning/answer-text"
import { certainTriggers } from "../../../prompt/tools/bare-calls"
import type { ToolSyntax } from "../../../prompt/tools/syntax"
import { toolGrammar } from "../../../prompt/tools/tool-grammar"
import { bytePattern } from "../markers"
import { TokenIndex } from "../sampling/token-index"
import { TokenPieces } from "../sampling/token-pieces"
import { ControlTexts } from "./control-texts"
import type { PreparedConstraint } from "./prepared"

/** Compiled grammars that are kept: clients send the same schema again and again. */
const REMEMBERED = 16

/** Longer grammars are compiled each time. In characters. */
const LONGEST_REMEMBERED = 1_000_000

/** With more text than this in the tools, only the family's own form of calls is enforced: each is a grammar. */
const LARGEST_WITH_VARIANTS = 20_000

/** A constraint that is ready for any number of requests. */
export interface CompiledConstraint {
  /** In GBNF. */
  readonly source: string
  /** Keywords that are not enforced; one sentence each. */
  readonly warnings: readonly string[]
  /** The grammar for one request. */
  prepare(): PreparedConstraint
}

interface Written {
  readonly grammar: Grammar
  readonly warnings: readonly string[]
  readonly triggers?: PreparedConstraint["triggers"]
}

/** The calls that an answer may have. */
export interface CallConstraint {
  readonly syntax: ToolSyntax
  readonly use: ToolUse
  /** How many calls the conversation has already, where calls are numbered by that. */
  readonly earlierCalls?: number
  /** What an answer without a call must be. */
  readonly output: OutputConstraint | undefined
}

/** Compiles schemas, regular expressions, choices and grammars for the vocabulary of one model. */
export class ConstraintCompiler {
  readonly #library: Library
  readonly #vocabulary: Vocabulary
  /** Keyed by the constraint as JSON, most recently used last. */
  readonly #compiled = new Map<
    string,
    { readonly native: NativeGrammar; readonly constraint: CompiledConstraint }
  >()

  readonly #pieces: TokenPieces
  /** The names of the vocabulary's control tokens. */
  readonly controls: ControlTexts

  constructor(library: Library, vocabulary: Vocabulary) {
    this.#library = library
    this.#vocabulary = vocabulary
    this.#pieces = new TokenPieces(vocabulary)
    this.controls = new ControlTexts(vocabulary)
  }

  /** `text`: markers around the answer. @throws InvalidRequest */
  compile(output: OutputConstraint, text?: TextMarkers): CompiledConstraint {
    return this.#remembered({ output, text }, fieldOf(output), () => this.#write(output, text))
  }

  /** The grammar of an answer with calls. @throws InvalidRequest */
  compileCalls(calls: CallConstraint): CompiledConstraint {
    return this.#remembered(calls, "tools", () => this.#writeCalls(calls))
  }

  #write(output: OutputConstraint, text: TextMarkers | undefined): Written {
    const written = write(output)
    if (text === undefined) return written
    const [before, after] = [this.#nodeOf(text.start), this.#nodeOf(text.end)]
    return { ...written, grammar: surrounded(before, written.grammar, optional(after)) }
  }

  #writeCalls({ syntax, use, output, earlierCalls = 0 }: CallConstraint): Written {
    const options = { syntax, use, earlierCalls, controlTokens: this.controls.in(syntax) }
    if (use.choice === "required") return toolGrammar(options)
    if (output !== undefined) {
      const calls = toolGrammar(options)
      const said = this.#write(output, syntax.text)
      return {
        grammar: eitherGrammar(calls.grammar, said.grammar),
        warnings: [...calls.warnings, ...said.warnings],
      }
    }
    // Without a trigger the answer itself is the section, in which text has markers too.
    if (syntax.isOpened === true) return toolGrammar({ ...options, allowsText: true })
    const certain = certainTriggers(syntax, use)
    const isLarge = JSON.stringify(use.tools).length > LARGEST_WITH_VARIANTS
    const triggers = isLarge ? certain.slice(0, 1) : certain
    const begun = triggers.map(({ after }) => ({ after, ...toolGrammar({ ...options, after }) }))
    return {
      grammar: begun
        .map(({ after, grammar }) => surrounded(this.#nodeOf(after), grammar, NOTHING))
        .reduce(eitherGrammar),
      warnings: [...new Set(begun.flatMap(({ warnings }) => warnings))],
      triggers: triggers.flatMap(({ texts }) => texts).map((text) => this.#triggerOf(text)),
    }
  }

  #triggerOf(text: string): NonNullable<PreparedConstraint["triggers"]>[number] {
    const marker = this.controls.resolve(text)
    return { marker, tokens: this.#pieces.tokensOf(bytePattern(marker).units) ?? [] }
  }

  /** A marker in a grammar, without tokens that end an answer: they are not seen in one. */
  #nodeOf(marker: string): GrammarNode {
    const parts = this.controls.resolve(marker)
    return sequence(
      ...parts.map((part): GrammarNode => {
        if (typeof part === "string") return terminal(part)
        return this.#vocabulary.endsGeneration(part) ? NOTHING : { type: "token", id: part }
      }),
    )
  }

  /** `key`: equal for equal grammars; `field`: of the request. */
  #remembered(what: unknown, field: string, writeGrammar: () => Written): CompiledConstraint {
    const key = JSON.stringify(what)
    const known = this.#compiled.get(key)
    if (known !== undefined) {
      this.#compiled.delete(key)
      this.#compiled.set(key, known)
      return known.constraint
    }
    const { grammar, warnings, triggers } = writeGrammar()
    const source = toGbnf(grammar)
    const tokens = tokensIn(grammar)
    const unknown = tokens.find((token) => token >= this.#vocabulary.size)
    if (unknown !== undefined)
      throw new InvalidRequest(`the grammar names token ${unknown}, which the model does not have`, "grammar")
    const native = NativeGrammar.compile(this.#library, this.#vocabulary.share(), source)
    if (native === undefined) throw new InvalidRequest("llama.cpp refuses this schema or grammar", field)
    const constraint = {
      source,
      warnings,
      prepare: (): PreparedConstraint => ({
        grammar: native.clone().share(),
        // Made here, where no answer waits for it.
        index: TokenIndex.of(this.#vocabulary).share(),
        tokens,
        ...(triggers !== undefined && { triggers }),
      }),
    }
    this.#compiled.set(key, { native, constraint })
    this.#forgetOldest(source.length > LONGEST_REMEMBERED ? 0 : REMEMBERED)
    return constraint
  }

  /** The newest stays: it is about to be copied. */
  #forgetOldest(kept: number): void {
    for (const [key, { native }] of this.#compiled) {
      if (this.#compiled.size <= Math.max(1, kept)) return
      native[Symbol.dispose]()
      this.#compiled.delete(key)
    }
  }
}

/** The grammar of a constraint. @throws InvalidRequest */
function write(output: OutputConstraint): Written {
  switch (output.type) {
    case "json":
      return { grammar: compileSchema({ type: "object" }).grammar, warnings: [] }
    case "schema": {
      const { grammar, unenforced } = compileSchema(output.schema)
      const [first] = unenforced
      if (output.isStrict && first !== undefined)
        throw new InvalidRequest(
          `the JSON schema cannot be kept strictly: ${sentence(first)}`,
          "response_format",
        )
      return { grammar, warnings: unenforced.map((each) => `not enforced: ${sentence(each)}`) }
    }
    case "regex":
      return { grammar: { rules: new Map([["root", ofRegex(output.pattern)]]) }, warnings: [] }
    case "choice":
      return { grammar: { rules: new Map([["root", oneOfTexts(output.choices)]]) }, warnings: [] }
    case "grammar":
      return { grammar: parseGbnf(output.source), warnings: [] }
    default:
      return output satisfies never
  }
}

function ofRegex(pattern: string): ReturnType<typeof matched> {
  try {
    const node = matched(parseRegex(pattern), characters)
    if (repeatsAmbiguously(node))
      throw new InvalidRequest(
        "the regular expression repeats what is repeated already, so that there are too many ways to match a text",
        "regex",
      )
    return node
  } catch (error) {
    if (!(error instanceof RegexError)) throw error
    const reason = error.isUnsupported
      ? `uses ${error.message}, which no grammar can say`
      : `is none: ${error.message}`
    throw new InvalidRequest(`the regular expression ${reason}`, "regex")
  }
}

function sentence({ path, reason }: Unenforced): string {
  return `${path}: ${reason}`
}

function fieldOf({ type }: OutputConstraint): string {
  return type === "schema" || type === "json" ? "response_format" : type
}
