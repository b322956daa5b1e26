import type { Tool } from "../../domain/tools"
import type { ToolSyntax } from "./syntax"
import { writeCalls } from "./write-calls"

/** A tool in the form of OpenAI's API, which templates take. */
export interface TemplateTool {
  readonly type: "function"
  readonly function: {
    readonly name: string
    readonly description: string
    readonly parameters: Readonly<Record<string, unknown>>
  }
}

/** Templates read these fields of tools without a look at whether they are there. */
export function toTemplateTool({ name, description = "", parameters }: Tool): TemplateTool {
  return {
    type: "function",
    function: { name, description, parameters: { type: "object", properties: {}, ...parameters } },
  }
}

/** Adds an empty description to each parameter without one: some templates cannot do without. */
export function withDescriptions(tool: Tool): Tool {
  const properties = Object.entries(tool.parameters?.["properties"] ?? {}).map(
    ([name, schema]: [string, unknown]) => [
      name,
      typeof schema === "object" && schema !== null ? { description: "", ...schema } : schema,
    ],
  )
  return { ...tool, parameters: { ...tool.parameters, properties: Object.fromEntries(properties) } }
}

/**
 * Lists tools for models whose template does not, and says how to call them.
 * @param tools in the form of templates, with control tokens escaped
 */
export function describeTools(tools: readonly unknown[], syntax: ToolSyntax): string {
  const example = writeCalls(syntax, [
    { id: "123456789", name: "FUNCTION_NAME", arguments: { PARAMETER_NAME: "value" } },
  ])
  return [
    "You can call these functions, each described as JSON:",
    ...tools.map((tool) => JSON.stringify(tool)),
    "",
    "To call a function, write this and nothing after it, with arguments that match the function's parameters:",
    example,
    "",
    "The result of the call is then given to you. Call a function only if it is needed; otherwise answer in plain text.",
  ].join("\n")
}
