import type { RenderedPrompt } from "../../../domain/chat"
import { toSamplingBody } from "../../render/sampling-body"

/** POST /v0/render */
export interface RenderBody {
  readonly prompt: string
  readonly tokens: readonly number[]
  /** The grammar of the answer, in GBNF; absent: any text. */
  readonly grammar?: string
  /** Effective values under the names of request fields. */
  readonly parameters: Readonly<Record<string, unknown>>
}

export function toRenderBody({ prompt, tokens, grammar, parameters }: RenderedPrompt): RenderBody {
  return {
    prompt,
    tokens,
    ...(grammar !== undefined && { grammar }),
    parameters: {
      ...toSamplingBody(parameters),
      max_tokens: parameters.maxTokens,
      stop: parameters.stop,
    },
  }
}
