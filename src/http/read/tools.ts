import type { Tool } from "../../domain/tools"
import { InvalidRequest } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { SHOWN, TEXTS, TOOLS } from "../../limits"
import { defined, Fields, invalidField } from "./fields"
import { isJsonObject } from "./body/json-body"
import { checkNested } from "./nested-value"

/**
 * OpenAI's names of functions, and those with dots, which tools of MCP servers have. llama-server accepts any text,
 * but a name with spaces, quotes or brackets cannot be told from the markers around it.
 */
const TOOL_NAME = /^[A-Za-z0-9_.-]{1,64}$/

/** Reads a function that may be called: its name, description, parameters and strictness. @throws InvalidRequest */
export function readFunction(path: string, value: unknown): Tool {
  if (!isJsonObject(value)) throw invalidField(path, "an object", value)
  const fields = new Fields(value, `${path}.`)
  const name = fields.text("name", TEXTS.name)
  if (name === undefined) throw new InvalidRequest(`${path}.name is required`, `${path}.name`)
  if (!TOOL_NAME.test(name))
    throw invalidField(`${path}.name`, "1 to 64 letters, digits, underscores, dashes and dots", name)
  const parameters = fields.object("parameters")
  const type = parameters?.["type"] ?? "object"
  if (type !== "object")
    throw invalidField(`${path}.parameters.type`, '"object": the arguments of a function have names', type)
  return {
    name,
    isStrict: fields.boolean("strict") ?? false,
    ...defined({ description: fields.text("description", TEXTS.description), parameters }),
  }
}

/**
 * Checks tools that were read one by one.
 * @param list the field with all of them
 * @param pathOf the path of the tool with this index
 * @throws InvalidRequest if two have one name, or all together are too large
 */
export function checkTools(list: string, tools: readonly Tool[], pathOf: (index: number) => string): void {
  checkNested(list, tools, TOOLS)
  const names = new Set<string>()
  for (const [index, { name }] of tools.entries()) {
    const path = `${pathOf(index)}.name`
    if (names.has(name)) throw new InvalidRequest(`${path} '${name}' is the name of an earlier tool`, path)
    names.add(name)
  }
}

/** @throws InvalidRequest if there is no tool of this name */
export function checkCallable(path: string, name: string, tools: readonly Tool[]): void {
  if (tools.some((tool) => tool.name === name)) return
  const known = tools.length === 0 ? "there are none" : `there are ${namesOf(tools)}`
  throw new InvalidRequest(`${path} '${shorten(name, SHOWN.value)}' is not among the tools; ${known}`, path)
}

function namesOf(tools: readonly Tool[]): string {
  return shorten(tools.map(({ name }) => name).join(", "), SHOWN.name)
}
