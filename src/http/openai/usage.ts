import type { Usage } from "../../domain/chat"

export interface UsageBody {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
  readonly completion_tokens_details?: {
    /** Only for models that think. */
    readonly reasoning_tokens?: number
    /** Only with `prediction`: how many of its tokens came, and how many did not. */
    readonly accepted_prediction_tokens?: number
    readonly rejected_prediction_tokens?: number
  }
}

/** The combined usage of requests answered together. */
export function toUsageBody(usages: readonly Usage[]): UsageBody {
  const sum = (count: (usage: Usage) => number) => usages.reduce((total, usage) => total + count(usage), 0)
  const prompt = sum((usage) => usage.promptTokens)
  const completion = sum((usage) => usage.completionTokens)
  const isPredicted = usages.some(({ prediction }) => prediction !== undefined)
  const thinks = usages.some(({ reasoningTokens }) => reasoningTokens !== undefined)
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum((usage) => usage.cachedTokens) },
    ...((thinks || isPredicted) && {
      completion_tokens_details: {
        ...(thinks && { reasoning_tokens: sum((usage) => usage.reasoningTokens ?? 0) }),
        ...(isPredicted && {
          accepted_prediction_tokens: sum(({ prediction }) => prediction?.accepted ?? 0),
          rejected_prediction_tokens: sum(({ prediction }) => prediction?.rejected ?? 0),
        }),
      },
    }),
  }
}
