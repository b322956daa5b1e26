import type { ChatMessage, ToolCall } from "../domain/chat"
import { textOf } from "../domain/content"
import { TemplateRaised } from "./jinja"

/** The capabilities of a template, found by testing it. */
export interface TemplateCaps {
  /** Is the content of a message a string or a list of parts? */
  readonly content: "text" | "parts"
  /** The value of the variable `tools` if there are none. */
  readonly tools: "none" | "undefined" | "empty"
  /** If false, system messages are merged into the first user message. */
  readonly supportsSystemRole: boolean
  /** If false, developer messages are sent as system messages. */
  readonly supportsDeveloperRole: boolean
  /** The form of a tool call's arguments: JSON text, or an object; `none`: the template does not show calls. */
  readonly toolArguments: "text" | "object" | "none"
  /** The content of an answer that is calls and no text. */
  readonly callContent: "empty" | "none"
}

/** Renders a conversation with a template, up to the assistant's reply. */
export type TryTemplate = (messages: readonly ChatMessage[], caps: TemplateCaps) => string

/** The defaults, which work with most templates. */
export const DEFAULT_CAPS: TemplateCaps = {
  content: "text",
  tools: "none",
  supportsSystemRole: true,
  supportsDeveloperRole: true,
  toolArguments: "none",
  callContent: "empty",
}

const USER: ChatMessage = { role: "user", content: "probe of user text" }
const SYSTEM: ChatMessage = { role: "system", content: "probe of system text" }
const DEVELOPER: ChatMessage = { role: "developer", content: "probe of developer text" }
const ASSISTANT: ChatMessage = { role: "assistant", content: "probe of assistant text" }

const PROBE_ARGUMENTS = { probe_argument: "probe value" }
const PROBE_CALL: ToolCall = {
  // Mistral's templates want nine letters or digits.
  id: "probecall",
  name: "probe_function",
  arguments: JSON.stringify(PROBE_ARGUMENTS),
}
const CALLING: ChatMessage = { role: "assistant", content: "", toolCalls: [PROBE_CALL] }
const RESULT: ChatMessage = {
  role: "tool",
  content: "probe of a result",
  name: PROBE_CALL.name,
  toolCallId: PROBE_CALL.id,
}

/**
 * @throws an Error with the reason if the template cannot render even the simplest conversation; not if it
 * rejects all of them with its own message, because it may accept another
 */
export function probeTemplate(source: string, tryTemplate: TryTemplate): TemplateCaps {
  const basic = basicCaps(tryTemplate)
  const refusal = failureOf(() => void tryTemplate([USER, ASSISTANT, USER], basic))
  if (refusal !== undefined && !(refusal instanceof TemplateRaised)) throw refusal
  const shows = (message: ChatMessage): boolean =>
    failureOf(() => mustShow(message, tryTemplate([message, USER], basic))) === undefined
  // Generic templates render any role: only one that names the role supports it.
  return {
    ...basic,
    supportsSystemRole: shows(SYSTEM),
    supportsDeveloperRole: source.includes("developer") && shows(DEVELOPER),
    ...(source.includes("tool_calls") && callForm(basic, tryTemplate)),
  }
}

/** Text is right where it appears as it was given; a template that serialises it would quote it once more. */
function callForm(
  basic: TemplateCaps,
  tryTemplate: TryTemplate,
): Pick<TemplateCaps, "toolArguments" | "callContent"> | undefined {
  const shown = (form: Pick<TemplateCaps, "toolArguments" | "callContent">, texts: readonly string[]) =>
    // Some templates accept calls only together with their results, others the other way round.
    [
      [USER, CALLING, RESULT],
      [USER, CALLING],
    ].some(
      (messages) =>
        failureOf(() => {
          const rendered = tryTemplate(messages, { ...basic, ...form })
          for (const text of [PROBE_CALL.name, ...texts]) mustContain(rendered, text)
        }) === undefined,
    )
  for (const callContent of ["empty", "none"] as const) {
    const asText = { toolArguments: "text", callContent } as const
    if (shown(asText, [PROBE_CALL.arguments])) return asText
    const asObject = { toolArguments: "object", callContent } as const
    if (shown(asObject, Object.entries(PROBE_ARGUMENTS).flat())) return asObject
  }
  return undefined
}

/** The first combination of content and tools that renders a user's message. */
function basicCaps(tryTemplate: TryTemplate): TemplateCaps {
  const failures: Error[] = []
  for (const tools of ["none", "undefined", "empty"] as const) {
    for (const content of ["text", "parts"] as const) {
      const caps = { ...DEFAULT_CAPS, tools, content }
      const failure = failureOf(() => mustShow(USER, tryTemplate([USER], caps)))
      if (failure === undefined) return caps
      failures.push(failure)
    }
  }
  const broken = failures.find((failure) => !(failure instanceof TemplateRaised))
  if (broken !== undefined) throw broken
  return DEFAULT_CAPS
}

/** Ignores case: some templates change it. */
function mustShow(message: ChatMessage, rendered: string): void {
  mustContain(rendered, textOf(message.content), `the ${message.role}'s message`)
}

function mustContain(rendered: string, text: string, what = `'${text}'`): void {
  if (!rendered.toLowerCase().includes(text)) throw new Error(`it leaves out ${what}`)
}

function failureOf(work: () => void): Error | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
