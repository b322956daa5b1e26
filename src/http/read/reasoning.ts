import type { ReasoningOptions } from "../../domain/chat"
import { EFFORTS } from "../../domain/effort"
import { Unsupported } from "../../errors/request"
import { NUMBERS, TEXTS } from "../../limits"
import { defined, Fields } from "./fields"

/** How a model thinks, and whether its answer reports that. */
export interface ReasoningCall {
  /** Absent: as the template has it. */
  readonly options?: ReasoningOptions
  /** The thinking is left out of the answer. */
  readonly isHidden: boolean
}

/**
 * Reads how much a model is to think, from any of the names for it: `reasoning_effort` (OpenAI), `reasoning`
 * (OpenRouter, SGLang), `thinking` (DeepSeek, GLM, Anthropic), `chat_template_kwargs.enable_thinking` and the budgets
 * of llama-server and vLLM. The first that is set is used.
 * @throws InvalidRequest, Unsupported
 */
export function readReasoning(fields: Fields): ReasoningCall {
  const reasoning = new Fields(fields.object("reasoning") ?? {}, "reasoning.")
  const switched = fields.unchecked("thinking")
  const thinking = new Fields((typeof switched !== "boolean" && fields.object("thinking")) || {}, "thinking.")
  const effort = fields.choice("reasoning_effort", EFFORTS) ?? reasoning.choice("effort", EFFORTS)
  const isEnabled = first([
    readTemplateSwitch(fields),
    typeof switched === "boolean" ? switched : readThinkingType(thinking),
    reasoning.boolean("enabled"),
    effort === "none" ? false : undefined,
  ])
  const budgetTokens = first([
    readBudget(fields, "thinking_budget_tokens"),
    readBudget(fields, "reasoning_budget_tokens"),
    readBudget(fields, "thinking_token_budget"),
    readBudget(reasoning, "max_tokens"),
    readBudget(thinking, "budget_tokens"),
  ])
  const options = defined({
    // Something stronger turned the thinking on.
    effort: effort === "none" && isEnabled === true ? undefined : effort,
    isEnabled,
    budgetTokens: budgetTokens === -1 ? undefined : budgetTokens,
    isInline: readIsInline(fields) || undefined,
  })
  const isReported = [fields.boolean("include_reasoning") ?? true, !(reasoning.boolean("exclude") ?? false)]
  return {
    ...(Object.keys(options).length > 0 && { options }),
    isHidden: isReported.includes(false),
  }
}

/** The variable that most templates with optional thinking have. Other types than booleans are the template's affair. */
function readTemplateSwitch(fields: Fields): boolean | undefined {
  const value = fields.object("chat_template_kwargs")?.["enable_thinking"]
  return typeof value === "boolean" ? value : undefined
}

function readThinkingType(thinking: Fields): boolean | undefined {
  const type = thinking.choice("type", ["enabled", "disabled", "adaptive", "auto"] as const)
  return type === "enabled" ? true : type === "disabled" ? false : undefined
}

/** In tokens; -1: no limit. */
function readBudget(fields: Fields, name: string): number | undefined {
  return fields.integer(name, { ...NUMBERS.tokens, min: -1 })
}

/** llama-server's `reasoning_format`, or SGLang's `separate_reasoning`. */
function readIsInline(fields: Fields): boolean {
  const format = fields.text("reasoning_format", TEXTS.word)
  const isSeparate = fields.boolean("separate_reasoning") ?? true
  switch (format) {
    case undefined:
    case "auto":
    case "deepseek":
      return !isSeparate
    case "none":
      return true
    default:
      throw new Unsupported(
        `reasoning_format ${JSON.stringify(format)} is not supported; use auto (a field of its own) or none (in the text)`,
        "reasoning_format",
      )
  }
}

function first<T>(values: readonly (T | undefined)[]): T | undefined {
  return values.find((value) => value !== undefined)
}
