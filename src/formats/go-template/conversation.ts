/**
 * Ollama's preprocessing of a conversation for its templates, in Jinja. All state is kept in one namespace,
 * because other Jinja variables are lost at the end of a loop.
 */

/** The name of the namespace. */
export const STATE = "go"

/** Message fields besides role and content: Go's name, and the places where clients may put them. */
const FIELDS = {
  Thinking: ["thinking", `message.thinking or message.reasoning_content or ""`],
  Images: ["images", "message.images or []"],
  ToolCalls: ["tool_calls", "message.tool_calls or []"],
  ToolName: ["tool_name", `message.tool_name or message.name or ""`],
  ToolCallID: ["tool_call_id", `message.tool_call_id or ""`],
} as const

/**
 * `go.messages`: adjacent messages of one role are merged, with a blank line between their texts; tool
 * results stay separate. `go.system`: all system messages.
 * @param mentions whether the template uses a field of that name: unused ones are omitted
 */
export function collate(mentions: (field: string) => boolean): string {
  const more = Object.entries(FIELDS)
    .filter(([field]) => mentions(field))
    .map(([, [key, value]]) => `, "${key}": ${value}`)
  return [
    `{%- set ${STATE} = namespace(messages=[], systems=[], turns=[], system="", prompt="", response="") -%}`,
    "{%- for message in messages -%}",
    `{%- if message.role == "system" -%}{%- set go.systems = go.systems + [message.content] -%}{%- endif -%}`,
    "{%- set before = go.messages[-1] if go.messages else none -%}",
    `{%- set merged = before and before.role == message.role and message.role != "tool" -%}`,
    `{%- set content = (before.content ~ "\\n\\n" ~ (message.content or "")) if merged else (message.content or "") -%}`,
    `{%- set entry = {"role": message.role, "content": content${more.join("")}} -%}`,
    "{%- set go.messages = (go.messages[:-1] if merged else go.messages) + [entry] -%}",
    "{%- endfor -%}",
    `{%- set go.system = go.systems|join("\\n\\n") -%}`,
  ].join("")
}

const END_OF_TURN = [
  `{%- set go.turns = go.turns + [{"system": go.system, "prompt": go.prompt, "response": go.response}] -%}`,
  `{%- set go.system = "" -%}{%- set go.prompt = "" -%}{%- set go.response = "" -%}`,
].join("")

/** `go.turns`: what templates without `.Messages` are applied to, one after another. */
export const TURNS = [
  `{%- set go.system = "" -%}`,
  "{%- for message in go.messages -%}",
  `{%- if message.role == "system" -%}`,
  `{%- if go.prompt or go.response -%}${END_OF_TURN}{%- endif -%}`,
  "{%- set go.system = message.content -%}",
  `{%- elif message.role == "user" -%}`,
  `{%- if go.response -%}${END_OF_TURN}{%- endif -%}`,
  "{%- set go.prompt = message.content -%}",
  `{%- elif message.role == "assistant" -%}`,
  "{%- set go.response = message.content -%}",
  "{%- endif -%}",
  "{%- endfor -%}",
  END_OF_TURN,
].join("")
