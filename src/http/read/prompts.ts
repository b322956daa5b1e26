import { InvalidRequest } from "../../errors/request"
import { COUNTS, NUMBERS, TEXTS } from "../../limits"
import { checkInteger, checkText, invalidField, tooMany } from "./fields"
import { kindOf } from "./json-body"

/** Reads a text, token ids, or a list of either. @throws InvalidRequest */
export function readPrompts(value: unknown): readonly (string | readonly number[])[] {
  if (value === undefined) throw new InvalidRequest("prompt is required", "prompt")
  if (typeof value === "string") return [checkText("prompt", value, TEXTS.prompt)]
  if (!Array.isArray(value)) throw invalidField("prompt", "a string, token ids, or an array of these", value)
  if (value.length === 0) throw new InvalidRequest("prompt must not be empty", "prompt")
  if (typeof value[0] === "number") {
    checkTokenCount(value.length)
    return [readTokens("prompt", value)]
  }
  const { maxItems } = COUNTS.prompts
  if (value.length > maxItems) throw tooMany("prompt", maxItems, "prompts", value.length)
  checkTokenCount(value.reduce((sum: number, prompt) => sum + (Array.isArray(prompt) ? prompt.length : 0), 0))
  return value.map((prompt, index) => readPrompt(`prompt[${index}]`, prompt))
}

function checkTokenCount(count: number): void {
  const { maxItems } = COUNTS.promptTokens
  if (count > maxItems) throw tooMany("prompt", maxItems, "token ids in all", count)
}

function readPrompt(name: string, value: unknown): string | readonly number[] {
  if (typeof value === "string") return checkText(name, value, TEXTS.prompt)
  if (!Array.isArray(value)) {
    throw new InvalidRequest(
      `${name} must be a string or an array of token ids, got ${kindOf(value)}`,
      "prompt",
    )
  }
  return readTokens(name, value)
}

function readTokens(name: string, values: readonly unknown[]): readonly number[] {
  if (values.length === 0) throw new InvalidRequest(`${name} must not be empty`, "prompt")
  const { min, max } = NUMBERS.tokenId
  return values.map((value, index) =>
    typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
      ? value
      : checkInteger(`${name}[${index}]`, value, NUMBERS.tokenId),
  )
}
