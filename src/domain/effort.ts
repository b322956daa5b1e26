/** OpenAI's levels, and `max` of vLLM, SGLang and DeepSeek. What they do depends on the model's template. */
export const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const
