import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja"
import { normalizeNewlines } from "../lib/text/newlines"
import { defineRepairFunctions } from "./jinja-functions"
import { repairTemplate } from "./jinja-repairs"
import { strftime } from "./strftime"

/** The message with which a template rejected a conversation (`raise_exception`). */
export class TemplateRaised extends Error {}

/** Maximum `range()`, as in Jinja's sandbox: the list is built in memory. */
const MAX_RANGE = 100_000

/** A parsed template. It has no time limit: run untrusted templates in a thread. */
export class JinjaTemplate {
  readonly #program: ReturnType<typeof parse>

  /** @throws an Error with the parser's message if `source` is not a valid template */
  constructor(source: string) {
    // As Jinja does. Otherwise neither trim_blocks nor the rule for the final newline recognizes line ends.
    const text = normalizeNewlines(source)
    this.#program = repairTemplate(parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true })))
  }

  /**
   * @param variables plain data; `now` is the time that `strftime_now` shows
   * @throws TemplateRaised; any other Error if the template uses something unsupported
   */
  run(variables: ReadonlyMap<string, unknown>, now: Date): string {
    const scope = new Environment()
    defineRepairFunctions(scope)
    const all = new Map([...variables, ...globals(now)])
    for (const [name, value] of all) scope.set(name, value)
    return String(new Interpreter(scope).run(this.#program).value)
  }
}

function globals(now: Date): [string, unknown][] {
  return [
    ["true", true],
    ["True", true],
    ["false", false],
    ["False", false],
    ["none", null],
    ["None", null],
    ["range", boundedRange],
    ["strftime_now", (format: unknown) => strftime(now, String(format))],
    // Templates translated from Go may call it.
    ["strftime_yesterday", (format: unknown) => strftime(dayBefore(now), String(format))],
    ["raise_exception", raiseException],
  ]
}

function dayBefore(now: Date): Date {
  const day = new Date(now)
  day.setDate(day.getDate() - 1)
  return day
}

function raiseException(message: unknown): never {
  throw new TemplateRaised(String(message ?? "it raised an exception"))
}

function boundedRange(first: number, second: number | undefined, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second]
  if (step === 0) throw new Error("range() needs a step that is not zero")
  const length = Math.max(0, Math.ceil((stop - start) / step))
  if (!(length <= MAX_RANGE)) throw new Error(`range() makes ${length} numbers, more than ${MAX_RANGE}`)
  return Array.from({ length }, (_, index) => start + index * step)
}
