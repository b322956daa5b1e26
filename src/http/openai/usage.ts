import type { Usage } from "../../domain/chat"

export interface UsageBody {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
  /** Only for models that think. */
  readonly completion_tokens_details?: { readonly reasoning_tokens: number }
}

/** The combined usage of requests answered together. */
export function toUsageBody(usages: readonly Usage[]): UsageBody {
  const sum = (count: (usage: Usage) => number) => usages.reduce((total, usage) => total + count(usage), 0)
  const prompt = sum((usage) => usage.promptTokens)
  const completion = sum((usage) => usage.completionTokens)
  const thinks = usages.some(({ reasoningTokens }) => reasoningTokens !== undefined)
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum((usage) => usage.cachedTokens) },
    ...(thinks && {
      completion_tokens_details: { reasoning_tokens: sum((usage) => usage.reasoningTokens ?? 0) },
    }),
  }
}
