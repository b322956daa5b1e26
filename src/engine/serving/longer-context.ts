import type { LoadedTextInfo } from "../../domain/loaded-model"
import type { TextModelSettings } from "../../domain/settings"
import type { XllmError } from "../../errors/base"
import { ContextLengthExceeded } from "../../errors/request"
import { q8Saving } from "../../formats/kv-layout"

type CacheSettings = Pick<TextModelSettings, "kvTypeK" | "kvTypeV" | "flashAttention">
type ContextFacts = Pick<
  LoadedTextInfo,
  "contextLength" | "trainedContextLength" | "contextLimitedBy" | "rope"
>

/**
 * The refusal of a prompt that is too long, with what would allow a longer one. Other errors stay as they are, also those of
 * texts to embed, which name the text and can be cut.
 */
export function withContextAdvice(error: XllmError, info: ContextFacts, settings: CacheSettings): XllmError {
  const { code, details = {}, param } = error
  const {
    n_prompt_tokens: tokens,
    n_ctx: limit,
    is_lower_bound: isLowerBound,
    n_media_tokens: mediaTokens,
  } = details
  if (code !== "context_length_exceeded" || typeof tokens !== "number" || typeof limit !== "number")
    return error
  if (param !== "messages" && param !== "prompt") return error
  return new ContextLengthExceeded(
    tokens,
    limit,
    param,
    isLowerBound === true,
    adviceFor(info, settings),
    typeof mediaTokens === "number" ? mediaTokens : 0,
  )
}

function adviceFor(info: ContextFacts, settings: CacheSettings): string {
  const { contextLength, trainedContextLength: trained, contextLimitedBy, rope } = info
  const percent = Math.round(100 * q8Saving(settings))
  const smaller = `--cache-type-k q8_0 and --cache-type-v q8_0, which take ${percent} % less memory`
  if (contextLimitedBy === "memory") {
    const ways = [
      ...(percent > 0 ? [smaller] : []),
      "more memory for the model (--memory, fewer other models)",
    ]
    return `shorten it, or allow more than memory does now, up to ${trained}: ${ways.join("; or ")}`
  }
  if (contextLength < trained) {
    const ifShort = percent > 0 ? `; if memory is short, with ${smaller}` : ""
    return `shorten it, or load the model with a larger context (--ctx, up to ${trained})${ifShort}`
  }
  return rope === undefined
    ? "shorten it: the model was trained for no more"
    : "shorten it, or stretch the model beyond what it was trained for (--ctx with --rope-scaling yarn and --rope-freq-scale)"
}
