import type { ChatMessage, ChatRequest, GenerationRequest } from "../../domain/chat"
import type { ModelDefaults } from "../../domain/model"
import type { TemplateFallback } from "../../prompt/template"
import type { ThinkingDefaults } from "./prompt/prompt-messages"

/** Fills in unset fields from the model's defaults, except for sampling. */
export function applyDefaults<R extends GenerationRequest>(request: R, defaults: ModelDefaults): R {
  const maxTokens = request.maxTokens ?? defaults.maxTokens ?? request.defaultMaxTokens
  return {
    ...request,
    ...(maxTokens !== undefined && { maxTokens }),
    ...(request.stop.length === 0 && { stop: defaults.stop ?? [] }),
    ...(request.kind === "chat" && { messages: withMessages(request, defaults) }),
  }
}

/** Completes how a chat is to think. What a request says decides; a template's own switch says it too. */
export function withThinking<R extends GenerationRequest>(
  request: R,
  { isEnabled, budgetTokens }: ThinkingDefaults,
): R {
  if (request.kind !== "chat") return request
  const { reasoning = {}, templateArguments } = request
  const isOpen =
    reasoning.isEnabled === undefined &&
    reasoning.effort === undefined &&
    templateArguments["enable_thinking"] === undefined
  const added = {
    ...(isOpen && isEnabled !== undefined && { isEnabled }),
    ...(reasoning.budgetTokens === undefined && budgetTokens !== undefined && { budgetTokens }),
  }
  return Object.keys(added).length === 0 ? request : { ...request, reasoning: { ...reasoning, ...added } }
}

/** A chat in a built-in format also stops at turn markers that the model writes as plain text. */
export function withFallback<R extends GenerationRequest>(
  request: R,
  fallback: TemplateFallback | undefined,
): R {
  if (request.kind !== "chat" || fallback === undefined || fallback.stop.length === 0) return request
  return { ...request, stop: [...request.stop, ...fallback.stop] }
}

function withMessages(
  { messages }: Pick<ChatRequest, "messages">,
  { system, messages: examples = [] }: ModelDefaults,
): readonly ChatMessage[] {
  const [first, ...rest] = messages
  if (first?.role === "system" || first?.role === "developer") return [first, ...examples, ...rest]
  return system === undefined
    ? [...examples, ...messages]
    : [{ role: "system", content: system }, ...examples, ...messages]
}
