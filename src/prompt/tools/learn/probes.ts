import type { ChatMessage, ToolCall } from "../../../domain/chat"
import type { Tool } from "../../../domain/tools"

export interface ProbeOptions {
  /** The form in which the arguments of calls are given; absent: what the template was found to want. */
  readonly argumentsAs?: "text" | "object"
  /** Absent: none. */
  readonly tools?: readonly Tool[]
  /** End with the opening of an answer. */
  readonly opensAnswer?: boolean
  /** Further variables, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>
}

/** Renders a conversation; `undefined` if the template refuses it or fails. */
export type RenderProbe = (messages: readonly ChatMessage[], options?: ProbeOptions) => string | undefined

/**
 * What a probe puts into a conversation. None of the texts is part of another, shares its first or last letters with
 * another, or needs escaping, so that they are found again and what surrounds them is the template's.
 */
export interface ProbeNames {
  readonly functions: readonly [string, string, string]
  /** Nine letters and digits each, as Mistral's templates want. */
  readonly ids: readonly [string, string, string]
  /** The names of two arguments, in alphabetical order: some templates sort them. */
  readonly keys: readonly [string, string]
  readonly values: readonly [string, string]
}

export const PROBE: ProbeNames = {
  functions: ["fetchqzx", "lookupwv", "searchkj"],
  ids: ["aqcallxz1", "bwcallyv2", "ercalluk3"],
  keys: ["dxplace", "myunits"],
  values: ["hxvaluegb", "pzvaluetc"],
}

/** To prove what was learned from the first names. */
export const FRESH: ProbeNames = {
  functions: ["get_weather", "set_alarm_2", "list-files"],
  ids: ["Zk3pQ81xB", "a0b1c2d3e", "99aa88bb7"],
  keys: ["city", "when_at"],
  values: ["São Paulo, centre", 'line one\nline <two> "quoted" \\ {x: [1]}'],
}

export const USER_TEXT = "ukprobetext"
export const ANSWER_TEXT = "anprobetext"
export const THOUGHT_TEXT = "thprobetext"
const RESULT_TEXT = "rsprobetext"

export const USER_PROBE: ChatMessage = { role: "user", content: USER_TEXT }

/** Tools with the functions of the probes; the second key may have any value. */
export function probeTools({ functions, keys }: ProbeNames): Tool[] {
  const [first, second] = keys
  return functions.map((name) => ({
    name,
    description: "A function.",
    parameters: {
      type: "object",
      properties: {
        [first]: { type: "string", description: "A text." },
        [second]: { type: "string", description: "Another." },
      },
      required: [first],
    },
    isStrict: false,
  }))
}

export function callOf(names: ProbeNames, index: number, given: Readonly<Record<string, unknown>>): ToolCall {
  return {
    id: names.ids[index] ?? "",
    name: names.functions[index] ?? "",
    arguments: JSON.stringify(given),
  }
}

/** The arguments of the probes: both keys, with texts. */
export function textArguments({ keys, values }: ProbeNames): Readonly<Record<string, string>> {
  return { [keys[0]]: values[0], [keys[1]]: values[1] }
}

export function calling(
  calls: readonly ToolCall[],
  said: { readonly text?: string; readonly reasoning?: string } = {},
): ChatMessage {
  return {
    role: "assistant",
    content: said.text ?? "",
    ...(said.reasoning !== undefined && { reasoning: said.reasoning }),
    toolCalls: calls,
  }
}

export function resultsOf(calls: readonly ToolCall[]): ChatMessage[] {
  return calls.map(({ id, name }) => ({ role: "tool", content: RESULT_TEXT, name, toolCallId: id }))
}

/** What was rendered after the last user's message. */
export function afterUser(rendered: string | undefined): string | undefined {
  const at = rendered?.lastIndexOf(USER_TEXT) ?? -1
  return at === -1 ? undefined : rendered?.slice(at + USER_TEXT.length)
}
