import type { Environment } from "@huggingface/jinja"

/** A value within the interpreter; the package does not export its type. */
interface RuntimeValue {
  readonly value: unknown
}

/** Functions that repaired templates call; see jinja-repairs.ts. */
export const FORMAT_FUNCTION = "__format"
export const COMPARE_FUNCTION = "__compare"

/** Methods of Python's lists that the interpreter's lists lack, by the function that is called in their place. */
export const LIST_METHODS: Readonly<Record<string, string>> = { append: "__append", pop: "__pop" }

/** Defines the functions that repaired templates call. */
export function defineRepairFunctions(scope: Environment): void {
  scope.set(FORMAT_FUNCTION, formatText)
  scope.set(COMPARE_FUNCTION, compare)
  const nothing = runtimeValue(scope.set("__nothing", null))
  defineRaw(scope, "__append", ([list, item]) => {
    if (item !== undefined) itemsOf(list, "append").push(item)
    return nothing
  })
  defineRaw(scope, "__pop", ([list, place]) => {
    const items = itemsOf(list, "pop")
    const at = typeof place?.value === "number" ? place.value : -1
    const [removed] = items.splice(at, 1)
    if (removed === undefined) throw new Error("pop from an empty list, or beyond its end")
    return removed
  })
}

/** Other functions get and return copies of values; changing a list needs the list itself. */
function defineRaw(
  scope: Environment,
  name: string,
  call: (args: readonly RuntimeValue[]) => RuntimeValue,
): void {
  const defined = scope.set(name, () => null)
  // A function's value is what the interpreter calls with its own values.
  Object.assign(defined, { value: call })
}

function runtimeValue(value: unknown): RuntimeValue {
  return value as RuntimeValue // every value of the interpreter is one
}

function itemsOf(list: RuntimeValue | undefined, method: string): RuntimeValue[] {
  if (!Array.isArray(list?.value)) throw new Error(`only lists have the method '${method}'`)
  return list.value as RuntimeValue[] // the items of a list of the interpreter
}

/** Python's `str.format`, for `{}` and `{0}` only. */
function formatText(text: unknown, ...values: unknown[]): string {
  let next = 0
  return String(text).replace(/\{\{|\}\}|\{(\d*)\}/g, (whole, index: string | undefined) => {
    if (index === undefined) return whole[0] ?? ""
    return String(values[index === "" ? next++ : Number(index)] ?? "")
  })
}

/** Texts are compared too; a number with the text of one, which is what integer keys are here. */
function compare(operator: unknown, left: unknown, right: unknown): boolean {
  const areTexts = typeof left === "string" && typeof right === "string"
  const [a, b] = areTexts ? [left, right] : [numberOf(left), numberOf(right)]
  if (a === undefined || b === undefined)
    throw new Error(`cannot compare ${typeof left} with ${typeof right} by ${String(operator)}`)
  switch (operator) {
    case "<":
      return a < b
    case "<=":
      return a <= b
    case ">":
      return a > b
    default:
      return a >= b
  }
}

function numberOf(value: unknown): number | undefined {
  const isNumeric = typeof value === "string" && /^-?\d+$/.test(value)
  return typeof value === "number" || typeof value === "boolean" || isNumeric ? Number(value) : undefined
}
