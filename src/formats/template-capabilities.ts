/** Features of a chat template beyond plain messages. */
export type TemplateCapability = "tools" | "thinking"

/** Markers of reasoning in published templates. */
const THINKING_MARKERS = /<\/?think(ing)?>|<seed:think>|\[THINK\]|<\|channel\|>|<\|START_THINKING\|>/
/** Variables and fields for tools and their calls in published templates. */
const TOOL_NAMES = /\b(tools|tool_calls|functions)\b/
/** Variables and fields for reasoning in published templates. */
const THINKING_NAMES = /\b(enable_thinking|reasoning_content|reasoning_effort|thinking|reasoning)\b/

/**
 * Whether a Jinja template uses `tools` and an assistant's reasoning. Names in strings that it only prints do
 * not count. Only running the template shows what it does with them, which takes a thread that can be ended: this
 * only reads it, and agrees with what is learned by running it for all published templates tested.
 */
export function jinjaCapabilities(template: string): readonly TemplateCapability[] {
  const code = codeOf(template)
  return [
    ...(TOOL_NAMES.test(code) ? (["tools"] as const) : []),
    ...(THINKING_NAMES.test(code) || THINKING_MARKERS.test(template) ? (["thinking"] as const) : []),
  ]
}

/**
 * The code inside `{{ }}` and `{% %}`, without string literals. A single pass, because templates are
 * untrusted.
 */
function codeOf(template: string): string {
  const parts: string[] = []
  const opening = /\{[{%#]/g
  for (let match = opening.exec(template); match !== null; match = opening.exec(template)) {
    const end =
      match[0] === "{#"
        ? template.indexOf("#}", opening.lastIndex)
        : readCode(template, opening.lastIndex, match[0] === "{{" ? "}}" : "%}", parts)
    if (end === -1) break
    opening.lastIndex = end + 2
  }
  return parts.join("")
}

/** Appends the code from `start` to `closing` to `parts`; returns the offset of `closing`, or -1. */
function readCode(template: string, start: number, closing: string, parts: string[]): number {
  const interesting = new RegExp(`${closing}|["'\`]`, "g")
  interesting.lastIndex = start
  let from = start
  for (let match = interesting.exec(template); match !== null; match = interesting.exec(template)) {
    const before = template.slice(from, match.index)
    parts.push(before)
    if (match[0] === closing) {
      parts.push("\n")
      return match.index
    }
    const end = endOfText(template, match.index)
    if (end === -1) return -1
    // `message['thinking']` counts as a field, like `message.thinking`.
    parts.push(before.trimEnd().endsWith("[") ? `.${template.slice(match.index + 1, end)}` : "''")
    from = interesting.lastIndex = end + 1
  }
  return -1
}

/** The end of the string literal that starts at `start`, or -1. */
function endOfText(template: string, start: number): number {
  const quote = template[start] ?? ""
  for (let at = start + 1; at < template.length; at++) {
    if (template[at] === "\\") at++
    else if (template[at] === quote) return at
  }
  return -1
}
