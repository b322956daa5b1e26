import type { ChatMessage } from "../domain/chat"
import { TemplateRaised } from "./jinja"

/** What a template expects of a conversation; found out by trying. */
export interface TemplateCaps {
  /** Is a message's content a text, or a list of parts? */
  readonly content: "text" | "parts"
  /** What the variable `tools` must be where there are none. */
  readonly tools: "none" | "undefined" | "empty"
  /** Otherwise system messages must go into the first user message. */
  readonly supportsSystemRole: boolean
  /** Otherwise developer messages are system messages. */
  readonly supportsDeveloperRole: boolean
}

/** What a template makes of a conversation, before an assistant's turn. */
export type TryTemplate = (messages: readonly ChatMessage[], caps: TemplateCaps) => string

/** The usual ones, which most templates get on with. */
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
 * @throws an Error that says why, where the template cannot show even the simplest conversation; not where it
 * refuses them all in its own words, because it may accept another
 */
export function probeTemplate(source: string, tryTemplate: TryTemplate): TemplateCaps {
  const basic = basicCaps(tryTemplate)
  const refusal = failureOf(() => void tryTemplate([USER, ASSISTANT, USER], basic))
  if (refusal !== undefined && !(refusal instanceof TemplateRaised)) throw refusal
  const shows = (message: ChatMessage): boolean =>
    failureOf(() => mustShow(message, tryTemplate([message, USER], basic))) === undefined
  // Generic templates show any role: only one that names it was made for it.
  return {
    ...basic,
    supportsSystemRole: shows(SYSTEM),
    supportsDeveloperRole: source.includes("developer") && shows(DEVELOPER),
  }
}

/** The first combination of content and tools with which a user's message is shown. */
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

/** In any case: some templates change it. */
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
