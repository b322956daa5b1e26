import type { ChatRequest, ReasoningOptions } from "../../domain/chat"
import { textOf } from "../../domain/content"
import type { LearnedMarkers } from "./learn"
import type { ThinkingMarkers } from "./markers"
import { effortVariables, nearestEffort, type ThinkingSwitches } from "./switches"

/** What of a request decides whether its answer begins within the thinking. */
type Opening = Pick<ChatRequest, "messages" | "reasoning" | "addGenerationPrompt" | "continueFinalMessage">

/** The variables that tell the template how much to think. */
export function reasoningVariables(
  reasoning: ReasoningOptions,
  switches: ThinkingSwitches,
): Readonly<Record<string, unknown>> {
  if (isDisabled(reasoning)) return switches.off
  const { effort, isEnabled } = reasoning
  return {
    ...((isEnabled === true || effort !== undefined) && switches.on),
    ...(effort !== undefined && effortVariables(nearestEffort(effort, switches.efforts))),
  }
}

/** Does the prompt end within the thinking? */
export function isOpenAt(text: string, { start, end }: ThinkingMarkers, request: Opening): boolean {
  if (!request.continueFinalMessage) return request.addGenerationPrompt && text.trimEnd().endsWith(start)
  const last = textOf(request.messages.at(-1)?.content ?? "")
  return last.lastIndexOf(start) > last.lastIndexOf(end)
}

interface ThinkingState {
  readonly thinking: LearnedMarkers
  readonly canDisable: boolean
  readonly isOpen: boolean
}

/** What is added to the prompt so that a model that is not to think does not, where its template has no way. */
export function closingOf(request: Opening, { thinking, canDisable, isOpen }: ThinkingState): string {
  const { reasoning, continueFinalMessage } = request
  if (reasoning === undefined || !isDisabled(reasoning) || continueFinalMessage) return ""
  const { start, end } = thinking
  const gap = end.startsWith("</") || end.startsWith("[/") ? "\n\n" : ""
  if (isOpen) return gap.slice(1) + end + gap
  return canDisable || !thinking.isShown ? "" : start + gap + end + gap
}

function isDisabled({ effort, isEnabled, budgetTokens }: ReasoningOptions): boolean {
  return isEnabled === false || effort === "none" || budgetTokens === 0
}
