import { GoTemplateFault } from "./fault"
import { anything, flag, number, type Shape, textShape } from "./shapes"

/** A Jinja expression and the known shape of its value. It binds tighter than any operator. */
export interface TemplateValue {
  readonly code: string
  readonly shape: Shape
}

type GoFunction = (values: readonly TemplateValue[], line: number) => TemplateValue

/** Functions that a template may call: those of text/template and of Ollama. */
const FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  and: (values, line) => joined("and", values, line),
  or: (values, line) => joined("or", values, line),
  not: (values, line) => ({ code: `(not ${only("not", values, line).code})`, shape: flag }),
  eq: equal,
  ne: (values, line) => compared("!=", values, line),
  lt: (values, line) => compared("<", values, line),
  le: (values, line) => compared("<=", values, line),
  gt: (values, line) => compared(">", values, line),
  ge: (values, line) => compared(">=", values, line),
  len: (values, line) => ({ code: `((${only("len", values, line).code} or [])|length)`, shape: number }),
  index: indexed,
  slice: sliced,
  print: (values) => ({ code: concatenated(spaced(values)), shape: textShape }),
  println: (values) => ({ code: concatenated([...apart(values), literal("\n")]), shape: textShape }),
  printf: formatted,
  json: (values, line) => ({ code: asJson(only("json", values, line)), shape: textShape }),
  currentDate: () => ({ code: `strftime_now("%Y-%m-%d")`, shape: textShape }),
  yesterdayDate: () => ({ code: `strftime_yesterday("%Y-%m-%d")`, shape: textShape }),
}

/** @throws GoTemplateFault if there is no such function, or if its arguments are invalid */
export function callFunction(name: string, values: readonly TemplateValue[], line: number): TemplateValue {
  const known = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  if (known === undefined) throw new GoTemplateFault(`unknown function '${name}'`, line)
  return known(values, line)
}

/** `text` as a Jinja string literal on one line. */
export function literal(text: string): string {
  return JSON.stringify(text)
}

/** An expression for the text that Go prints for the value. */
export function printed({ code, shape }: TemplateValue): string {
  switch (shape.print) {
    case "text":
    case "number":
      return code
    case "flag":
      return `("true" if ${code} else "false")`
    case "json":
      return `(${asJson({ code, shape })} if ${isThere(code)} else "")`
    case "any":
      return `(${code} if ${code} is string else ${asJson({ code, shape })} if ${isThere(code)} else "")`
  }
}

function isThere(code: string): string {
  return `(${code} is defined and ${code} is not none)`
}

/** In the format of Go's `json.Marshal`: no spaces, and HTML characters escaped. */
function asJson({ code }: TemplateValue): string {
  const json = `${code}|tojson(separators=(",", ":"))`
  const escaped = Object.entries({ "&": "\\u0026", "<": "\\u003c", ">": "\\u003e" }).map(
    ([character, escape]) => `|replace(${literal(character)}, ${literal(escape)})`,
  )
  return `(${json}${escaped.join("")})`
}

function joined(operator: "and" | "or", values: readonly TemplateValue[], line: number): TemplateValue {
  const [first, ...rest] = values
  if (first === undefined) throw new GoTemplateFault(`'${operator}' needs a value`, line)
  const isSame = rest.every(({ shape }) => shape === first.shape)
  return {
    code: `(${values.map(({ code }) => code).join(` ${operator} `)})`,
    shape: isSame ? first.shape : anything,
  }
}

function equal(values: readonly TemplateValue[], line: number): TemplateValue {
  const [first, ...others] = values
  if (first === undefined || others.length === 0) throw new GoTemplateFault("'eq' needs two values", line)
  return {
    code: `(${others.map((other) => `${first.code} == ${other.code}`).join(" or ")})`,
    shape: flag,
  }
}

function compared(operator: string, values: readonly TemplateValue[], line: number): TemplateValue {
  const [first, second, ...others] = values
  if (first === undefined || second === undefined || others.length > 0)
    throw new GoTemplateFault("a comparison needs two values", line)
  return { code: `(${first.code} ${operator} ${second.code})`, shape: flag }
}

function indexed(values: readonly TemplateValue[], line: number): TemplateValue {
  const [first, ...keys] = values
  if (first === undefined) throw new GoTemplateFault("'index' needs a value", line)
  return keys.reduce<TemplateValue>(({ code, shape }, key) => {
    if (shape.element === undefined) throw new GoTemplateFault("'index' needs a list or a map", line)
    return { code: `${code}[${key.code}]`, shape: shape.element }
  }, first)
}

function sliced(values: readonly TemplateValue[], line: number): TemplateValue {
  const [first, from, to, ...others] = values
  if (first === undefined || others.length > 0)
    throw new GoTemplateFault("'slice' needs a value and at most two numbers", line)
  return { code: `${first.code}[${from?.code ?? ""}:${to?.code ?? ""}]`, shape: first.shape }
}

/** `fmt.Sprint` puts a space between two operands if neither is a string. */
function spaced(values: readonly TemplateValue[]): string[] {
  return values.flatMap((value, index) => {
    const before = values[index - 1]
    const needsBlank = before !== undefined && before.shape !== textShape && value.shape !== textShape
    return needsBlank ? [literal(" "), printed(value)] : [printed(value)]
  })
}

function apart(values: readonly TemplateValue[]): string[] {
  return values.flatMap((value, index) => (index > 0 ? [literal(" "), printed(value)] : [printed(value)]))
}

function concatenated(parts: readonly string[]): string {
  // An undefined value cannot be concatenated.
  return `(${[literal(""), ...parts.map((part) => `(${part} or "")`)].join(" ~ ")})`
}

/** `printf` with verbs without width or precision. */
function formatted(values: readonly TemplateValue[], line: number): TemplateValue {
  const [format, ...rest] = values
  if (format === undefined || !format.code.startsWith('"'))
    throw new GoTemplateFault("'printf' needs a quoted string first", line)
  // A literal of ours.
  const pattern = JSON.parse(format.code) as string
  const left = [...rest]
  const parts = pattern.split(/(%%|%[a-zA-Z]|%)/).map((part) => {
    if (part === "%%") return literal("%")
    if (!part.startsWith("%")) return literal(part)
    const value = left.shift()
    if (value === undefined) throw new GoTemplateFault(`'printf' has no value for '${part}'`, line)
    if (part === "%s" || part === "%v" || part === "%d") return numeric(value)
    if (part === "%q") return `(${numeric(value)}|tojson)`
    throw new GoTemplateFault(`'printf' with '${part}' is not supported`, line)
  })
  if (left.length > 0) throw new GoTemplateFault("'printf' has more values than its format has verbs", line)
  return { code: `(${parts.join(" ~ ")})`, shape: textShape }
}

/** For concatenation: `or ""` would drop a zero. */
function numeric(value: TemplateValue): string {
  return value.shape === number ? `(${value.code} ~ "")` : `(${printed(value)} or "")`
}

function only(name: string, values: readonly TemplateValue[], line: number): TemplateValue {
  const [value, ...others] = values
  if (value === undefined || others.length > 0) throw new GoTemplateFault(`'${name}' needs one value`, line)
  return value
}
