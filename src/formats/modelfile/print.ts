import type { InstructionBody } from "./parse"
import { modelfileParameters } from "./parameters"

/**
 * Prints instructions as a Modelfile that {@link parseModelfile} reads as the same ones. A text that cannot
 * be represented, because lines in it end with both kinds of quotes, is replaced by a comment that says so.
 */
export function printModelfile(instructions: readonly InstructionBody[]): string {
  return instructions.map((instruction) => `${printInstruction(instruction)}\n`).join("")
}

function printInstruction(instruction: InstructionBody): string {
  const start = startOf(instruction)
  const value = printValue(valueOf(instruction), isText(instruction))
  return value === undefined
    ? `# ${start}: its value cannot be written here, because a line in it ends with """`
    : `${start} ${value}`
}

function startOf(instruction: InstructionBody): string {
  switch (instruction.type) {
    case "parameter":
      return `PARAMETER ${instruction.name}`
    case "message":
      return `MESSAGE ${instruction.role}`
    default:
      return instruction.type.toUpperCase()
  }
}

function valueOf(instruction: InstructionBody): string {
  return instruction.type === "message" ? instruction.content : String(instruction.value)
}

/** Texts are put in quotes; names and numbers are not. */
function isText(instruction: InstructionBody): boolean {
  switch (instruction.type) {
    case "template":
    case "system":
    case "license":
      return true
    case "parameter":
      return modelfileParameters[instruction.name]?.mostLines !== undefined
    default:
      return false
  }
}

/** `undefined`: it cannot be represented. */
function printValue(value: string, preferQuotes: boolean): string | undefined {
  const isOneLine = !/[\r\n]/.test(value)
  const canBeBare = isOneLine && value !== "" && value.trim() === value && !value.startsWith('"')
  if (canBeBare && !preferQuotes) return value
  if (isOneLine && unquotesTo(`"${value}"`, value)) return `"${value}"`
  return [`"""${value}"""`, `"${value}"`].find((written) => unquotesTo(written, value))
}

/** Is the last line the first that ends with the same quotes? */
function unquotesTo(written: string, value: string): boolean {
  const quotes = written.startsWith('"""') ? '"""' : '"'
  if (written !== quotes + value + quotes) return false
  const lines = /[\r\n]/g
  for (let found = lines.exec(written); found !== null; found = lines.exec(written)) {
    const before = written.slice(0, found.index).trimEnd()
    if (before.length >= 2 * quotes.length && before.endsWith(quotes)) return false
  }
  return true
}
