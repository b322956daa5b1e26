import type { ChatMessage } from "../domain/chat"
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
}

/** Renders a conversation with a template, up to the assistant's reply. */
export type TryTemplate = (messages: readonly ChatMessage[], caps: TemplateCaps) => string

/** The defaults, which work with most templates. */
export const DEFAULT_CAPS: TemplateCaps = {
  content: "text",
  tools: "none",
  supportsSystemRole: true,
  supportsDeveloperRole: true,
}

const USER: ChatMessage = { role: "user", content: "probe of user text" }
const SYSTEM: ChatMessage = { role: "system", content: "probe of system text" }
const DEVELOPER: ChatMessage = { role: "developer", content: "probe of developer text" }
const ASSISTANT: ChatMessage = { role: "assistant", content: "probe of assistant text" }

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
  }
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
  if (!rendered.toLowerCase().includes(message.content))
    throw new Error(`it leaves out the ${message.role}'s message`)
}

function failureOf(work: () => void): Error | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
