/** What a chat template is written for, beside plain messages. */
export type TemplateCapability = "tools" | "thinking"

/** Markers around what a model thinks before it answers, as published templates have them. */
const THINKING_MARKERS = /<\/?think(ing)?>|<seed:think>|\[THINK\]|<\|channel\|>|<\|START_THINKING\|>/
/** Variables and fields by which templates take it. */
const THINKING_NAMES = /\b(enable_thinking|reasoning_content|reasoning_effort|thinking|reasoning)\b/

/**
 * What a template in Jinja does with `tools`, and with what an assistant thought. Texts that it only prints do not
 * count as names.
 */
export function jinjaCapabilities(template: string): readonly TemplateCapability[] {
  const code = codeOf(template)
  return [
    ...(/\btools\b/.test(code) ? (["tools"] as const) : []),
    ...(THINKING_NAMES.test(code) || THINKING_MARKERS.test(template) ? (["thinking"] as const) : []),
  ]
}

/**
 * What stands between `{{ }}` and `{% %}`, without the texts in it. One pass over a template that anybody may have
 * written.
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

/** Adds what stands before `closing`, from `start` on, to `parts`; returns where that is, or -1. */
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
    // `message['thinking']` is a field, as `message.thinking` is.
    parts.push(before.trimEnd().endsWith("[") ? `.${template.slice(match.index + 1, end)}` : "''")
    from = interesting.lastIndex = end + 1
  }
  return -1
}

/** Where the text ends whose opening quote is at `start`, or -1. */
function endOfText(template: string, start: number): number {
  const quote = template[start] ?? ""
  for (let at = start + 1; at < template.length; at++) {
    if (template[at] === "\\") at++
    else if (template[at] === quote) return at
  }
  return -1
}
