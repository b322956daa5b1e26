import type { ToolCall } from "../../domain/chat"
import { calculate } from "./calculator"

interface ToolDefinition {
  readonly type: "function"
  readonly function: { readonly name: string; readonly description?: string; readonly parameters?: unknown }
}

interface BuiltInTool {
  readonly definition: ToolDefinition
  run(values: Readonly<Record<string, unknown>>): string
}

/** Tools that the page runs itself. */
const BUILT_IN: Readonly<Record<string, BuiltInTool>> = {
  calculator: {
    definition: {
      type: "function",
      function: {
        name: "calculator",
        description: "Computes an arithmetic expression exactly, such as (3.5 + 2) * 4 or sqrt(2).",
        parameters: {
          type: "object",
          properties: { expression: { type: "string", description: "the expression" } },
          required: ["expression"],
        },
      },
    },
    run: ({ expression }) => String(calculate(String(expression))),
  },
  current_date: {
    definition: {
      type: "function",
      function: {
        name: "current_date",
        description: "Returns the current date, time and time zone of the user.",
        parameters: { type: "object", properties: {} },
      },
    },
    run: () => new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" }).format(new Date()),
  },
}

export const BUILT_IN_TOOLS = Object.keys(BUILT_IN)

export function builtInTools(names: readonly string[]): readonly ToolDefinition[] {
  return names.flatMap((name) => BUILT_IN[name]?.definition ?? [])
}

/** The result of a call that the page can make itself; undefined: the user gives it. Errors are results too. */
export function resultOf({ name, arguments: json }: ToolCall): string | undefined {
  const tool = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined
  if (tool === undefined) return undefined
  try {
    const values: unknown = json.trim() === "" ? {} : JSON.parse(json)
    return tool.run((values ?? {}) as Record<string, unknown>)
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : String(error)}`
  }
}

/**
 * The tools in a text that the user typed: a JSON list of functions, with or without OpenAI's wrapping.
 * @throws SyntaxError with the reason
 */
export function definitionsOf(text: string): readonly ToolDefinition[] {
  if (text.trim() === "") return []
  const value: unknown = JSON.parse(text)
  return (Array.isArray(value) ? value : [value]).map((each: unknown) => {
    const record = (typeof each === "object" && each !== null ? each : {}) as Record<string, unknown>
    const body = (record["function"] ?? record) as ToolDefinition["function"]
    if (typeof body.name !== "string" || body.name === "") throw new SyntaxError("a tool has no name")
    return { type: "function", function: body }
  })
}
