import type { RenderedPrompt } from "../../../domain/chat"
import { toSamplingBody } from "../../render/sampling-body"

/** POST /v0/render */
export interface RenderBody {
  readonly prompt: string
  readonly tokens: readonly number[]
  /** The grammar of the answer, in GBNF; absent: any text. */
  readonly grammar?: string
  /** How the model writes calls; absent: the answer has none. */
  readonly tool_syntax?: Readonly<Record<string, unknown>>
  /** The markers around what the model thinks; absent: it does not think. */
  readonly reasoning?: { readonly start: string; readonly end: string; readonly is_open: boolean }
  /** Effective values under the names of request fields. */
  readonly parameters: Readonly<Record<string, unknown>>
}

export function toRenderBody(rendered: RenderedPrompt): RenderBody {
  const { prompt, tokens, grammar, toolSyntax, reasoning, parameters } = rendered
  return {
    prompt,
    tokens,
    ...(grammar !== undefined && { grammar }),
    ...(toolSyntax !== undefined && { tool_syntax: toolSyntax }),
    ...(reasoning !== undefined && {
      reasoning: { start: reasoning.start, end: reasoning.end, is_open: reasoning.isOpen },
    }),
    parameters: {
      ...toSamplingBody(parameters),
      max_tokens: parameters.maxTokens,
      stop: parameters.stop,
    },
  }
}
