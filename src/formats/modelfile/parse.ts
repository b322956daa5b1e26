import { nearest } from "../../lib/text/nearest"
import { normalizeNewlines } from "../../lib/text/newlines"
import { shorten } from "../../lib/text/shorten"
import { MODEL_TEXTS } from "../../limits"
import { cutStatements, type Problem, type Statement } from "./lexer"
import { modelfileParameters, type ParameterValue } from "./parameters"

/** Instructions that consist of a word and a text. */
const TEXT_INSTRUCTIONS = [
  "from",
  "template",
  "system",
  "adapter",
  "license",
  "requires",
  "renderer",
  "parser",
  "draft",
] as const

type TextInstruction = (typeof TEXT_INSTRUCTIONS)[number]

/** May be empty, to remove what the base model has. */
const MAY_BE_EMPTY: ReadonlySet<string> = new Set(["template", "system", "license"])

/** Maximum length of the text of an instruction, in characters. */
const LONGEST: Readonly<Record<TextInstruction | "parameter" | "message", number>> = {
  from: MODEL_TEXTS.line.maxLength,
  template: MODEL_TEXTS.template.maxLength,
  system: MODEL_TEXTS.system.maxLength,
  adapter: MODEL_TEXTS.line.maxLength,
  license: MODEL_TEXTS.license.maxLength,
  requires: MODEL_TEXTS.line.maxLength,
  renderer: MODEL_TEXTS.line.maxLength,
  parser: MODEL_TEXTS.line.maxLength,
  draft: MODEL_TEXTS.line.maxLength,
  parameter: MODEL_TEXTS.line.maxLength,
  message: MODEL_TEXTS.message.maxLength,
}

/** Maximum number of instructions that accumulate. */
const MOST: Readonly<Record<string, number>> = {
  message: MODEL_TEXTS.messages.maxItems,
  license: MODEL_TEXTS.licenses.maxItems,
}

const ROLES = ["system", "user", "assistant"] as const

export type InstructionBody =
  | { [T in TextInstruction]: { readonly type: T; readonly value: string } }[TextInstruction]
  | { readonly type: "parameter"; readonly name: string; readonly value: ParameterValue }
  | { readonly type: "message"; readonly role: (typeof ROLES)[number]; readonly content: string }

/** One instruction of a Modelfile; `line`: of its start, counted from 1. */
export type Instruction = InstructionBody & { readonly line: number }

/** The contents of a file, even if it has errors: using it may reveal others. */
export interface Modelfile {
  /** The valid ones, in the order of the file. */
  readonly instructions: readonly Instruction[]
  /** The errors; if there are none, `instructions` contain a `from`. */
  readonly problems: readonly Problem[]
  /** Accepted but without effect. */
  readonly warnings: readonly Problem[]
}

const NAMES = [...TEXT_INSTRUCTIONS, "parameter", "message"].map((name) => name.toUpperCase())

/** Parameters of older Modelfiles: accepted, without effect. */
const deprecatedParameters: ReadonlySet<string> = new Set([
  "penalize_newline",
  "low_vram",
  "f16_kv",
  "logits_all",
  "vocab_only",
  "use_mlock",
  "mirostat",
  "mirostat_tau",
  "mirostat_eta",
])

/** https://semver.org, with or without a leading `v`. */
const VERSION = /^v?\d+(\.\d+){0,2}(-[\w.-]+)?(\+[\w.-]+)?$/

/**
 * Parses a Modelfile. Never throws: reports all errors. Converts line endings to line feeds: a carriage
 * return in a template, a system prompt or a stop string is never intended.
 */
export function parseModelfile(text: string): Modelfile {
  const { statements, problems: broken } = cutStatements(normalizeNewlines(text.replace(/^\uFEFF/, "")))
  const reader = new StatementReader()
  const { maxItems } = MODEL_TEXTS.instructions
  for (const statement of statements.slice(0, maxItems)) reader.read(statement)
  const problems = [...broken, ...reader.problems]
  const next = statements[maxItems]
  if (next !== undefined) problems.push({ line: next.line, message: `more than ${maxItems} instructions` })
  if (!statements.some(({ word }) => word.toLowerCase() === "from"))
    problems.push({ message: "no FROM line: it names the base of the model" })
  return { instructions: reader.instructions, problems, warnings: reader.warnings }
}

class StatementReader {
  readonly instructions: Instruction[] = []
  readonly problems: Problem[] = []
  readonly warnings: Problem[] = []
  /** The previous line was an unquoted text, so an unknown command may be its continuation. */
  #afterText = false
  /** Number of occurrences of repeatable instructions, by name. */
  readonly #counts = new Map<string, number>()

  read(statement: Statement): void {
    const name = statement.word.toLowerCase()
    const type = TEXT_INSTRUCTIONS.find((known) => known === name)
    if (type !== undefined || name === "parameter" || name === "message") {
      const longest = LONGEST[type ?? (name === "message" ? "message" : "parameter")]
      if (
        !this.#isShort(statement, longest) ||
        !this.#mayCome(name.toUpperCase(), MOST[name], statement.line)
      )
        return
    }
    if (type !== undefined) this.#readText(type, statement)
    else if (name === "parameter") this.#readParameter(statement)
    else if (name === "message") this.#readMessage(statement)
    else return this.#refuseCommand(statement)
    this.#afterText = !statement.isQuoted && (MAY_BE_EMPTY.has(name) || name === "message")
  }

  #isShort({ word, line, value }: Statement, longest: number): boolean {
    if (value.length <= longest) return true
    const given = `got ${value.length}`
    this.#fail(line, `${word.toUpperCase()} must have at most ${longest} characters, ${given}`)
    return false
  }

  /** Counts an occurrence and returns whether it is within `most`; reports the excess once. */
  #mayCome(what: string, most: number | undefined, line: number): boolean {
    if (most === undefined) return true
    const count = (this.#counts.get(what) ?? 0) + 1
    this.#counts.set(what, count)
    if (count === most + 1) this.#fail(line, `there must be at most ${most} lines of ${what}`)
    return count <= most
  }

  #readText(type: TextInstruction, { line, value, isQuoted }: Statement): void {
    const name = type.toUpperCase()
    if (value === "" && !(isQuoted && MAY_BE_EMPTY.has(type)))
      return this.#fail(line, `${name} needs a value: unexpected end of the line`)
    if (type === "requires" && !VERSION.test(value))
      return this.#fail(line, `REQUIRES must be a version such as 0.14.0, got ${quoted(value)}`)
    this.instructions.push({ type, value, line })
  }

  #readParameter({ line, key = "", value, isQuoted }: Statement): void {
    if (key === "") return this.#fail(line, "PARAMETER needs a name and a value: unexpected end of the line")
    if (deprecatedParameters.has(key)) {
      this.warnings.push({ line, message: `the parameter '${key}' is deprecated and has no effect` })
      return
    }
    const rule = Object.hasOwn(modelfileParameters, key) ? modelfileParameters[key] : undefined
    if (rule === undefined) return this.#fail(line, `unknown parameter ${quoted(key)}${suggestion(key)}`)
    if (value === "" && !isQuoted)
      return this.#fail(line, `the parameter '${key}' needs a value: unexpected end of the line`)
    const parsed = rule.parse(value)
    if (parsed === undefined)
      return this.#fail(line, `${key} must be ${rule.rule}, got ${quoted(value)}${commentHint(value)}`)
    if (!this.#mayCome(`PARAMETER ${key}`, rule.mostLines, line)) return
    this.instructions.push({ type: "parameter", name: key, value: parsed, line })
  }

  #readMessage({ line, key = "", value, isQuoted }: Statement): void {
    const role = ROLES.find((known) => known === key)
    if (role === undefined) {
      const given = key === "" ? "unexpected end of the line" : `got ${quoted(key)}`
      return this.#fail(line, `the role of a MESSAGE must be one of ${ROLES.join(", ")}: ${given}`)
    }
    if (value === "" && !isQuoted)
      return this.#fail(line, "MESSAGE needs content after its role: unexpected end of the line")
    this.instructions.push({ type: "message", role, content: value, line })
  }

  #refuseCommand({ word, line }: Statement): void {
    const near = nearest(word.toUpperCase(), NAMES)
    const hint = this.#afterText
      ? `; a value of several lines stands between """ and """`
      : near === undefined
        ? ""
        : `; did you mean '${near}'?`
    this.#fail(line, `command must be one of ${NAMES.join(", ")}, got ${quoted(word)}${hint}`)
  }

  #fail(line: number, message: string): void {
    this.problems.push({ line, message })
  }
}

function suggestion(name: string): string {
  const near = nearest(name, Object.keys(modelfileParameters))
  return near === undefined ? "" : `; did you mean '${near}'?`
}

function commentHint(value: string): string {
  return value.includes("#") ? "; a comment needs a line of its own" : ""
}

/** Maximum length of an invalid text quoted in a message. */
const SHOWN_CHARACTERS = 60

function quoted(text: string): string {
  return `'${shorten(text, SHOWN_CHARACTERS).replace(/\s+/g, " ")}'`
}
