import type { Tool, ToolChoice, ToolUse } from "../../domain/tools"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { shorten } from "../../lib/text/shorten"
import { SHOWN, TEXTS, TOOLS } from "../../limits"
import { Fields, invalidField } from "../read/fields"
import { isJsonObject } from "../read/body/json-body"
import { checkCallable, checkTools, readFunction } from "../read/tools"

export interface ToolCalling {
  /** Absent: nothing may be called. */
  readonly use?: ToolUse
  /** The request has the older `functions`: a call is reported as `function_call`. */
  readonly isOldForm: boolean
}

/** Which of the tools may be called, and when. */
type Choice = Pick<ToolUse, "callable"> & { readonly choice: ToolChoice; readonly isSingle?: boolean }

const CHOICES = ["none", "auto", "required"] as const

/**
 * Reads `tools` and `tool_choice`, or the older `functions` and `function_call`. Where no tool may be called
 * (`none`), the model does not get to see any, as in most servers: llama-server lists them in the prompt, where a
 * model calls them all the same, and nothing reads the call.
 * @throws InvalidRequest, and Unsupported for other tools than functions
 */
export function readToolCalling(fields: Fields): ToolCalling {
  const tools = readTools(fields)
  const functions = readFunctions(fields)
  if (tools.length > 0 && functions.length > 0)
    throw new InvalidRequest("tools and functions cannot be combined: use tools alone", "functions")
  const choice = readChoice(fields, tools)
  const oldChoice = readOldChoice(fields, functions)
  const isParallel = fields.boolean("parallel_tool_calls") ?? true
  if (functions.length > 0) return calling(functions, oldChoice, { isParallel: false, isOldForm: true })
  return calling(tools, choice, { isParallel, isOldForm: false })
}

function calling(
  tools: readonly Tool[],
  { choice, callable, isSingle = false }: Choice,
  { isParallel, isOldForm }: { readonly isParallel: boolean; readonly isOldForm: boolean },
): ToolCalling {
  if (choice === "none" || tools.length === 0) return { isOldForm }
  const use = {
    tools,
    choice,
    isParallel: isParallel && !isSingle,
    ...(callable !== undefined && { callable }),
  }
  return { use, isOldForm }
}

function readTools(fields: Fields): readonly Tool[] {
  const given = fields.list("tools", TOOLS) ?? []
  const tools = given.map((tool, index) => readTool(`tools[${index}]`, tool))
  checkTools("tools", tools, (index) => `tools[${index}].function`)
  return tools
}

function readTool(path: string, value: unknown): Tool {
  if (!isJsonObject(value)) throw invalidField(path, "an object", value)
  checkType(path, new Fields(value, `${path}.`).text("type", TEXTS.word))
  return readFunction(`${path}.function`, value["function"] ?? undefined)
}

/** @throws InvalidRequest, and Unsupported for a type of tool other than functions */
function checkType(path: string, type: string | undefined): void {
  if (type === "function") return
  if (type === undefined)
    throw new InvalidRequest(`${path}.type is required: it must be "function"`, `${path}.type`)
  const given = JSON.stringify(shorten(type, SHOWN.value))
  throw new Unsupported(`${path} has type ${given}; only function is supported so far`, path)
}

function readFunctions(fields: Fields): readonly Tool[] {
  const given = fields.list("functions", TOOLS) ?? []
  const tools = given.map((value, index) => readFunction(`functions[${index}]`, value))
  checkTools("functions", tools, (index) => `functions[${index}]`)
  return tools
}

function readChoice(fields: Fields, tools: readonly Tool[]): Choice {
  const given = fields.unchecked("tool_choice")
  if (isJsonObject(given)) return readNamedChoice(new Fields(given, "tool_choice."), tools)
  const choice = fields.choice("tool_choice", CHOICES) ?? "auto"
  checkTheseAre(tools, choice, "tool_choice")
  return { choice }
}

/** The forms that name tools: one that must be called, or those that may be. */
function readNamedChoice(fields: Fields, tools: readonly Tool[]): Choice {
  if (fields.choice("type", ["function", "allowed_tools"] as const) === "allowed_tools")
    return readAllowed(fields, tools)
  const name = readName("tool_choice", fields)
  checkCallable("tool_choice.function.name", name, tools)
  return { choice: "required", callable: [name], isSingle: true }
}

function readAllowed(fields: Fields, tools: readonly Tool[]): Choice {
  const path = "tool_choice.allowed_tools"
  const allowed = new Fields(fields.object("allowed_tools") ?? {}, `${path}.`)
  const choice = allowed.choice("mode", ["auto", "required"] as const) ?? "auto"
  const given = allowed.list("tools", TOOLS) ?? []
  const callable = given.map((one, index) => {
    const place = `${path}.tools[${index}]`
    if (!isJsonObject(one)) throw invalidField(place, "an object", one)
    const named = new Fields(one, `${place}.`)
    checkType(place, named.text("type", TEXTS.word))
    const name = readName(place, named)
    checkCallable(`${place}.function.name`, name, tools)
    return name
  })
  if (callable.length > 0) return { choice, callable: [...new Set(callable)] }
  if (choice === "auto") return { choice: "none" }
  throw new InvalidRequest(`${path}.tools must not be empty with mode required`, `${path}.tools`)
}

/** The name in `{type: "function", function: {name}}`. */
function readName(path: string, fields: Fields): string {
  const named = new Fields(fields.object("function") ?? {}, `${path}.function.`)
  const name = named.text("name", TEXTS.name)
  if (name !== undefined) return name
  throw new InvalidRequest(`${path}.function.name is required`, `${path}.function.name`)
}

function readOldChoice(fields: Fields, functions: readonly Tool[]): Choice {
  const given = fields.unchecked("function_call")
  if (!isJsonObject(given))
    return { choice: fields.choice("function_call", ["none", "auto"] as const) ?? "auto" }
  const name = new Fields(given, "function_call.").text("name", TEXTS.name)
  if (name === undefined) throw new InvalidRequest("function_call.name is required", "function_call.name")
  checkCallable("function_call.name", name, functions)
  return { choice: "required", callable: [name], isSingle: true }
}

/** @throws InvalidRequest if a tool must be called and there are none */
function checkTheseAre(tools: readonly Tool[], choice: ToolChoice, path: string): void {
  if (choice !== "required" || tools.length > 0) return
  throw new InvalidRequest(`${path} required needs tools: there are none to call`, path)
}
