import type { Tool, ToolUse } from "../../../domain/tools"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import { shorten } from "../../../lib/text/shorten"
import { SHOWN, TEXTS, TOOLS } from "../../../limits"
import { Fields, invalidField } from "../../read/fields"
import { isJsonObject, type JsonObject } from "../../read/body/json-body"
import { checkCallable, checkTools, readFunction } from "../../read/tools"
import { CUSTOM_INPUT } from "./items"

export interface ResponseTools {
  /** Absent: nothing may be called. */
  readonly use?: ToolUse
  /** Names of those that take one text instead of named arguments. */
  readonly custom: ReadonlySet<string>
  /** Types of tools that only the service has; they were left out. */
  readonly leftOut: readonly string[]
}

/** @throws InvalidRequest; Unsupported where a tool must be called that cannot be run here */
export function readResponseTools(fields: Fields): ResponseTools {
  const given = fields.list("tools", TOOLS) ?? []
  const tools: Tool[] = []
  const places: number[] = []
  const custom = new Set<string>()
  const leftOut: string[] = []
  given.forEach((value, index) => {
    const path = `tools[${index}]`
    if (!isJsonObject(value)) throw invalidField(path, "an object", value)
    const type = new Fields(value, `${path}.`).text("type", TEXTS.word)
    if (type === "function") tools.push(readFunction(path, value))
    else if (type === "custom") tools.push(customTool(path, value, custom))
    else {
      leftOut.push(shorten(type ?? "tool", SHOWN.name))
      return
    }
    places.push(index)
  })
  checkTools("tools", tools, (index) => `tools[${places[index] ?? 0}]`)
  const use = readUse(fields, tools)
  return { custom, leftOut, ...(use !== undefined && { use }) }
}

/** Its grammar, if it has one, is not enforced: the text is a string of JSON here. */
function customTool(path: string, { name, description }: JsonObject, custom: Set<string>): Tool {
  const parameters = {
    type: "object",
    properties: { [CUSTOM_INPUT]: { type: "string" } },
    required: [CUSTOM_INPUT],
  }
  const tool = readFunction(path, { name, description, parameters })
  custom.add(tool.name)
  return tool
}

function readUse(fields: Fields, tools: readonly Tool[]): ToolUse | undefined {
  const isParallel = fields.boolean("parallel_tool_calls") ?? true
  const given = fields.unchecked("tool_choice")
  if (isJsonObject(given)) return readNamed(new Fields(given, "tool_choice."), tools, isParallel)
  const choice = fields.choice("tool_choice", ["none", "auto", "required"] as const) ?? "auto"
  if (choice === "required" && tools.length === 0)
    throw new InvalidRequest("tool_choice required needs tools: there are none to call", "tool_choice")
  return choice === "none" || tools.length === 0 ? undefined : { tools, choice, isParallel }
}

function readNamed(choice: Fields, tools: readonly Tool[], isParallel: boolean): ToolUse | undefined {
  const type = choice.text("type", TEXTS.word) ?? ""
  if (type === "function" || type === "custom") {
    const name = choice.text("name", TEXTS.name) ?? ""
    checkCallable("tool_choice.name", name, tools)
    return { tools, choice: "required", callable: [name], isParallel: false }
  }
  if (type !== "allowed_tools")
    throw new Unsupported(
      `tool_choice has type ${JSON.stringify(shorten(type, SHOWN.value))}, a tool that cannot be run here`,
      "tool_choice",
    )
  const mode = choice.choice("mode", ["auto", "required"] as const) ?? "auto"
  const allowed = (choice.list("tools", TOOLS) ?? []).flatMap((one, index) => {
    const path = `tool_choice.tools[${index}]`
    if (!isJsonObject(one)) throw invalidField(path, "an object", one)
    const name = new Fields(one, `${path}.`).text("name", TEXTS.name)
    if (name === undefined) return []
    checkCallable(`${path}.name`, name, tools)
    return [name]
  })
  if (allowed.length > 0) return { tools, choice: mode, callable: [...new Set(allowed)], isParallel }
  if (mode === "auto") return undefined
  throw new InvalidRequest("tool_choice.tools must not be empty with mode required", "tool_choice.tools")
}
