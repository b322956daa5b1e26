import { Unsupported } from "../../errors"
import { isJsonObject } from "../body"
import type { Fields } from "../fields"

/** Does this value ask for anything? */
type Asks = (value: unknown) => boolean

const anything: Asks = (value) => value !== false && value !== ""
const anyOf: Asks = (value) => (Array.isArray(value) ? value.length > 0 : anything(value))
const otherThan =
  (...harmless: readonly string[]): Asks =>
  (value) =>
    typeof value !== "string" || !harmless.includes(value)
const atLeast =
  (least: number): Asks =>
  (value) =>
    typeof value !== "number" || value >= least
const structured: Asks = (value) => !isJsonObject(value) || value["type"] !== "text"
const withAudio: Asks = (value) => !Array.isArray(value) || value.some((modality) => modality !== "text")

/** Fields whose effect a client relies on: an answer without it would look right and be wrong. */
const CHAT: Readonly<Record<string, Asks>> = {
  tools: anyOf,
  functions: anyOf,
  tool_choice: otherThan("none", "auto"),
  function_call: otherThan("none", "auto"),
  modalities: withAudio,
  audio: anything,
  web_search_options: anything,
}

const ANY: Readonly<Record<string, Asks>> = {
  response_format: structured,
  json_schema: anything,
  grammar: anything,
  guided_json: anything,
  guided_regex: anything,
  guided_choice: anyOf,
  guided_grammar: anything,
  structured_outputs: anything,
  lora: anyOf,
  samplers: anyOf,
  adaptive_target: atLeast(0),
  post_sampling_probs: anything,
  return_tokens: anything,
  t_max_predict_ms: atLeast(1),
  n_indent: atLeast(1),
  reasoning_budget_tokens: atLeast(0),
  thinking_budget_tokens: atLeast(0),
}

/** @throws Unsupported naming the first field that asks for what is not there */
export function refuseUnsupportedChat(fields: Fields): void {
  refuse(fields, CHAT)
  refuse(fields, ANY)
}

/** @throws Unsupported naming the first field that asks for what is not there */
export function refuseUnsupportedCompletion(fields: Fields): void {
  refuse(fields, ANY)
}

function refuse(fields: Fields, table: Readonly<Record<string, Asks>>): void {
  for (const [name, asks] of Object.entries(table)) {
    const value = fields.raw(name)
    if (value !== undefined && asks(value)) throw new Unsupported(`${name} is not supported yet`, name)
  }
}
