import { InvalidRequest } from "../../errors/request"
import { COUNTS, type ListBound, NUMBERS, TEXTS } from "../../limits"
import { checkInteger, checkText, invalidField, tooMany } from "./fields"
import { kindOf } from "./body/json-body"

/**
 * Reads a text, token ids, or a list of either.
 * @param field the request's field with them
 * @param bound how many there may be
 * @throws InvalidRequest
 */
export function readPrompts(
  value: unknown,
  field = "prompt",
  bound: ListBound = COUNTS.prompts,
): readonly (string | readonly number[])[] {
  if (value === undefined) throw new InvalidRequest(`${field} is required`, field)
  if (typeof value === "string") return [checkText(field, value, TEXTS.prompt)]
  if (!Array.isArray(value)) throw invalidField(field, "a string, token ids, or an array of these", value)
  if (value.length === 0) throw new InvalidRequest(`${field} must not be empty`, field)
  if (typeof value[0] === "number") {
    checkTokenCount(field, value.length)
    return [readTokens(field, value, field)]
  }
  const { maxItems } = bound
  if (value.length > maxItems) throw tooMany(field, maxItems, `${field}s`, value.length)
  checkTokenCount(
    field,
    value.reduce((sum: number, prompt) => sum + (Array.isArray(prompt) ? prompt.length : 0), 0),
  )
  return value.map((prompt, index) => readPrompt(`${field}[${index}]`, prompt, field))
}

function checkTokenCount(field: string, count: number): void {
  const { maxItems } = COUNTS.promptTokens
  if (count > maxItems) throw tooMany(field, maxItems, "token ids in all", count)
}

function readPrompt(name: string, value: unknown, field: string): string | readonly number[] {
  if (typeof value === "string") return checkText(name, value, TEXTS.prompt)
  if (!Array.isArray(value)) {
    throw new InvalidRequest(`${name} must be a string or an array of token ids, got ${kindOf(value)}`, field)
  }
  return readTokens(name, value, field)
}

function readTokens(name: string, values: readonly unknown[], field: string): readonly number[] {
  if (values.length === 0) throw new InvalidRequest(`${name} must not be empty`, field)
  const { min, max } = NUMBERS.tokenId
  return values.map((value, index) =>
    typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
      ? value
      : checkInteger(`${name}[${index}]`, value, NUMBERS.tokenId),
  )
}
