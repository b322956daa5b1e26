/** Why an expression has no value. */
export class CalculationError extends Error {}

const FUNCTIONS: Readonly<Record<string, (...values: number[]) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  cos: Math.cos,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  log: Math.log10,
  max: Math.max,
  min: Math.min,
  round: Math.round,
  sin: Math.sin,
  sqrt: Math.sqrt,
  tan: Math.tan,
}

const CONSTANTS: Readonly<Record<string, number>> = { pi: Math.PI, e: Math.E }

const LONGEST = 1000

/** The value of an arithmetic expression. @throws CalculationError */
export function calculate(expression: string): number {
  if (expression.length > LONGEST) throw new CalculationError("the expression is too long")
  const value = new Reader(expression).whole()
  if (!Number.isFinite(value)) throw new CalculationError("the result is not a number")
  // What binary fractions add beyond the digits that mean something.
  return Number(value.toPrecision(15))
}

class Reader {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(expression: string) {
    const tokens = expression.match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|[a-z]+|\*\*|[-+*/%^(),×÷−]|\S/gi) ?? []
    this.#tokens = tokens.map((token) => SAME[token] ?? token.toLowerCase())
  }

  whole(): number {
    const value = this.#sum()
    if (this.#next !== undefined) throw new CalculationError(`unexpected '${this.#next}'`)
    return value
  }

  get #next(): string | undefined {
    return this.#tokens[this.#at]
  }

  #take(...wanted: readonly string[]): string | undefined {
    const token = this.#next
    if (token === undefined || !wanted.includes(token)) return undefined
    this.#at++
    return token
  }

  #sum(): number {
    let value = this.#product()
    for (let sign = this.#take("+", "-"); sign !== undefined; sign = this.#take("+", "-")) {
      const other = this.#product()
      value = sign === "+" ? value + other : value - other
    }
    return value
  }

  #product(): number {
    let value = this.#signed()
    for (let sign = this.#take("*", "/", "%"); sign !== undefined; sign = this.#take("*", "/", "%")) {
      const other = this.#signed()
      value = sign === "*" ? value * other : sign === "/" ? value / other : value % other
    }
    return value
  }

  #signed(): number {
    const sign = this.#take("-", "+")
    if (sign !== undefined) return sign === "-" ? -this.#signed() : this.#signed()
    const base = this.#atom()
    return this.#take("^") === undefined ? base : base ** this.#signed()
  }

  #atom(): number {
    if (this.#take("(") !== undefined) {
      const value = this.#sum()
      this.#expect(")")
      return value
    }
    const token = this.#next ?? ""
    this.#at++
    if (/^[\d.]/.test(token)) return Number(token)
    if (Object.hasOwn(CONSTANTS, token)) return CONSTANTS[token] ?? 0
    const apply = Object.hasOwn(FUNCTIONS, token) ? FUNCTIONS[token] : undefined
    if (apply === undefined)
      throw new CalculationError(token === "" ? "the expression is not complete" : `'${token}' is not known`)
    this.#expect("(")
    const values = [this.#sum()]
    while (this.#take(",") !== undefined) values.push(this.#sum())
    this.#expect(")")
    return apply(...values)
  }

  #expect(token: string): void {
    if (this.#take(token) === undefined) throw new CalculationError(`'${token}' is missing`)
  }
}

const SAME: Readonly<Record<string, string>> = { "×": "*", "÷": "/", "−": "-", "**": "^" }
