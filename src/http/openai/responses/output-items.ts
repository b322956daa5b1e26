import type { PartStartEvent, TokenLogprob } from "../../../domain/chat"
import type { JsonObject } from "../../read/body/json-body"
import { toChatLogprobs } from "../logprobs"
import { toOpaque } from "./reasoning-text"
import { customInputOf, shellActionOf, type ToolForm, type ToolForms } from "./tool-forms"

/** An item of an answer. */
export interface OutputItem {
  readonly id: string
  readonly start: PartStartEvent
  /** Of a call. */
  readonly form: ToolForm | undefined
  text: string
  readonly logprobs: TokenLogprob[]
  isDone: boolean
}

export interface ItemOptions {
  readonly forms: ToolForms
  readonly isSummary: boolean
  readonly isOpaque: boolean
}

const CALL_PREFIXES = { function: "fc", custom: "ctc", local_shell: "lsh" } as const

export function newItem(start: PartStartEvent, forms: ToolForms): OutputItem {
  const form =
    start.part === "tool-call"
      ? (forms.get(start.name) ?? ({ kind: "function", name: start.name } as const))
      : undefined
  const prefix =
    form !== undefined ? CALL_PREFIXES[form.kind] : start.part === "reasoning" ? "rs" : ("msg" as const)
  return { id: newId(prefix), start, form, text: "", logprobs: [], isDone: false }
}

export function newId(prefix: string): string {
  return `${prefix}_${crypto.randomUUID().replaceAll("-", "")}`
}

/** The content of a message or of thinking; calls have none. */
export function partOf(
  { start, text, logprobs }: OutputItem,
  { isSummary }: ItemOptions,
): JsonObject | undefined {
  switch (start.part) {
    case "text":
      return { type: "output_text", text, annotations: [], logprobs: toChatLogprobs(logprobs).content }
    case "reasoning":
      return { type: isSummary ? "summary_text" : "reasoning_text", text }
    case "tool-call":
      return undefined
    default:
      return start satisfies never
  }
}

export function toItemBody(item: OutputItem, options: ItemOptions): JsonObject {
  const { id, start, text, isDone, form } = item
  const status = isDone ? "completed" : "in_progress"
  const parts = isDone ? [partOf(item, options)] : []
  switch (start.part) {
    case "text":
      return { id, type: "message", status, role: "assistant", content: parts }
    case "reasoning":
      return {
        id,
        type: "reasoning",
        status,
        ...(options.isSummary ? { summary: parts } : { summary: [], content: parts }),
        ...(options.isOpaque && { encrypted_content: isDone ? toOpaque(text) : "" }),
      }
    case "tool-call":
      return callBody({ id, call_id: start.id, status }, form, text, isDone)
    default:
      return start satisfies never
  }
}

function callBody(common: JsonObject, form: ToolForm | undefined, text: string, isDone: boolean): JsonObject {
  const { kind = "function", name, namespace } = form ?? {}
  const named = { ...common, name, ...(namespace !== undefined && { namespace }) }
  switch (kind) {
    case "function":
      return { ...named, type: "function_call", arguments: text }
    case "custom":
      return { ...named, type: "custom_tool_call", input: isDone ? customInputOf(text) : "" }
    case "local_shell":
      return { ...common, type: "local_shell_call", action: shellActionOf(isDone ? text : "") }
    default:
      return kind satisfies never
  }
}
