import type { Tool, ToolUse } from "../../../domain/tools"
import { InvalidRequest, Unsupported } from "../../../errors/request"
import { shorten } from "../../../lib/text/shorten"
import { SHOWN, TEXTS, TOOLS } from "../../../limits"
import { Fields, invalidField, tooMany } from "../../read/fields"
import { isJsonObject, type JsonObject } from "../../read/body/json-body"
import { checkCallable, checkTools, readFunction } from "../../read/tools"
import { readTextFormat } from "./text-format"
import {
  CUSTOM_INPUT,
  LOCAL_SHELL,
  nameForModel,
  SHELL_PARAMETERS,
  type ToolForm,
  type ToolForms,
} from "./tool-forms"

export interface ResponseTools {
  /** Absent: nothing may be called. */
  readonly use?: ToolUse
  readonly forms: ToolForms
  /** Types of tools that only the service has; they were left out. */
  readonly leftOut: readonly string[]
  /** Deviations from what the client may expect, one sentence each. */
  readonly warnings: readonly string[]
}

/**
 * `additional`: tools besides those in `tools`.
 * @throws InvalidRequest; Unsupported where a tool must be called that cannot be run here
 */
export function readResponseTools(fields: Fields, additional: readonly unknown[] = []): ResponseTools {
  const list = new ToolList()
  fields.list("tools", TOOLS)?.forEach((value, index) => list.read(`tools[${index}]`, value))
  additional.forEach((value, index) => list.read(`input tools[${index}]`, value))
  const { tools, forms, leftOut, warnings } = list.done()
  const use = readUse(fields, tools, forms)
  return { forms, leftOut, warnings, ...(use !== undefined && { use }) }
}

class ToolList {
  readonly #tools: Tool[] = []
  readonly #places: string[] = []
  readonly #forms = new Map<string, ToolForm>()
  readonly #leftOut: string[] = []
  readonly #warnings: string[] = []

  read(path: string, value: unknown): void {
    if (!isJsonObject(value)) throw invalidField(path, "an object", value)
    const fields = new Fields(value, `${path}.`)
    const type = fields.text("type", TEXTS.word)
    switch (type) {
      case "function":
      case "custom":
        return this.#add(path, this.#readOne(path, value, type), { kind: type })
      case "namespace":
        return this.#readNamespace(path, fields)
      case "local_shell": {
        const description = "Runs a command on the user's machine."
        const tool = { name: LOCAL_SHELL, description, parameters: SHELL_PARAMETERS }
        return this.#add(path, readFunction(path, tool), { kind: type })
      }
      default:
        this.#leftOut.push(shorten(type ?? "tool", SHOWN.name))
    }
  }

  #readNamespace(path: string, fields: Fields): void {
    const namespace = fields.text("name", TEXTS.name)
    const inner = fields.list("tools", TOOLS) ?? []
    if (this.#tools.length + inner.length > TOOLS.maxItems)
      throw tooMany("tools", TOOLS.maxItems, "tools in all", this.#tools.length + inner.length)
    inner.forEach((value, index) => {
      const place = `${path}.tools[${index}]`
      if (!isJsonObject(value)) throw invalidField(place, "an object", value)
      const type = new Fields(value, `${place}.`).text("type", TEXTS.word)
      if (type !== "function" && type !== "custom") this.#leftOut.push(shorten(type ?? "tool", SHOWN.name))
      else
        this.#add(place, this.#readOne(place, value, type), {
          kind: type,
          ...(namespace !== undefined && { namespace }),
        })
    })
  }

  #readOne(path: string, value: JsonObject, type: "function" | "custom"): Tool {
    if (type === "function") return readFunction(path, value)
    const { name, description } = value
    const format = readTextFormat(new Fields(value, `${path}.`), path)
    const parameters = {
      type: "object",
      properties: {
        [CUSTOM_INPUT]: {
          type: "string",
          ...(format.pattern !== undefined && { pattern: format.pattern }),
        },
      },
      required: [CUSTOM_INPUT],
    }
    const tool = readFunction(path, { name, description, parameters })
    if (format.reason !== undefined)
      this.#warnings.push(`the grammar of tool '${tool.name}' is not enforced: ${format.reason}`)
    return tool
  }

  #add(path: string, tool: Tool, form: Pick<ToolForm, "kind" | "namespace">): void {
    const name = nameForModel(form.namespace, tool.name)
    this.#forms.set(name, { ...form, name: tool.name })
    this.#tools.push({ ...tool, name })
    this.#places.push(path)
  }

  done() {
    checkTools("tools", this.#tools, (index) => this.#places[index] ?? "tools")
    return {
      tools: this.#tools as readonly Tool[],
      forms: this.#forms as ToolForms,
      leftOut: this.#leftOut as readonly string[],
      warnings: this.#warnings as readonly string[],
    }
  }
}

function readUse(fields: Fields, tools: readonly Tool[], forms: ToolForms): ToolUse | undefined {
  const isParallel = fields.boolean("parallel_tool_calls") ?? true
  const given = fields.unchecked("tool_choice")
  if (isJsonObject(given)) return readNamed(new Fields(given, "tool_choice."), tools, forms, isParallel)
  const choice = fields.choice("tool_choice", ["none", "auto", "required"] as const) ?? "auto"
  if (choice === "required" && tools.length === 0)
    throw new InvalidRequest("tool_choice required needs tools: there are none to call", "tool_choice")
  return choice === "none" || tools.length === 0 ? undefined : { tools, choice, isParallel }
}

function readNamed(
  choice: Fields,
  tools: readonly Tool[],
  forms: ToolForms,
  isParallel: boolean,
): ToolUse | undefined {
  const type = choice.text("type", TEXTS.word) ?? ""
  if (type === "function" || type === "custom" || type === LOCAL_SHELL) {
    const name = readCallable("tool_choice", choice, tools, forms)
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
    const named = new Fields(one, `${path}.`)
    const isNamed = named.unchecked("name") !== undefined || named.unchecked("type") === LOCAL_SHELL
    return isNamed ? [readCallable(path, named, tools, forms)] : []
  })
  if (allowed.length > 0) return { tools, choice: mode, callable: [...new Set(allowed)], isParallel }
  if (mode === "auto") return undefined
  throw new InvalidRequest("tool_choice.tools must not be empty with mode required", "tool_choice.tools")
}

/** A tool by the name that the client has for it. @throws InvalidRequest if it is not there */
function readCallable(path: string, choice: Fields, tools: readonly Tool[], forms: ToolForms): string {
  const isShell = choice.unchecked("type") === LOCAL_SHELL
  const name = isShell ? LOCAL_SHELL : (choice.text("name", TEXTS.name) ?? "")
  const namespace = choice.text("namespace", TEXTS.name)
  const exact = nameForModel(namespace, name)
  if (forms.has(exact)) return exact
  const [known] =
    [...forms].find(([, form]) => form.name === name && (namespace ?? form.namespace) === form.namespace) ??
    []
  if (known !== undefined) return known
  checkCallable(`${path}.name`, name, tools)
  return name
}
