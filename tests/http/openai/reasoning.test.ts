import { expect, test } from "bun:test"
import { XllmError } from "../../../src/errors/base"
import { toChatCall } from "../../../src/http/openai/translate"
import { USER_HI } from "../../support/http"

const call = (fields: object) => toChatCall({ messages: USER_HI, ...fields })
const reasoningOf = (fields: object) => call(fields).request.reasoning

function refused(fields: object) {
  try {
    call(fields)
  } catch (error) {
    if (error instanceof XllmError) return error.toWire()
    throw error
  }
  throw new Error(`${JSON.stringify(fields)} was accepted`)
}

test("a request without options for thinking leaves it to the template", () => {
  expect(reasoningOf({})).toBeUndefined()
  expect(reasoningOf({ reasoning: {}, thinking: {}, reasoning_format: "auto" })).toBeUndefined()
  expect(reasoningOf({ reasoning_format: "deepseek", separate_reasoning: true })).toBeUndefined()
})

test("the effort is OpenAI's field, or that of an object", () => {
  expect(reasoningOf({ reasoning_effort: "high" })).toEqual({ effort: "high" })
  expect(reasoningOf({ reasoning: { effort: "high" } })).toEqual({ effort: "high" })
  expect(reasoningOf({ reasoning: { effort: "high" }, reasoning_effort: "low" })).toEqual({ effort: "low" })
  expect(refused({ reasoning: { effort: "huge" } }).param).toBe("reasoning.effort")
})

test("thinking is turned off and on under any of its names", () => {
  expect(reasoningOf({ reasoning_effort: "none" })).toEqual({ effort: "none", isEnabled: false })
  for (const isEnabled of [true, false]) {
    const given = [
      { reasoning: { enabled: isEnabled } },
      { thinking: { type: isEnabled ? "enabled" : "disabled" } },
      { thinking: isEnabled },
      { chat_template_kwargs: { enable_thinking: isEnabled } },
    ]
    for (const fields of given) expect(reasoningOf(fields)).toEqual({ isEnabled })
  }
  expect(reasoningOf({ thinking: { type: "adaptive" } })).toBeUndefined()
  expect(refused({ thinking: { type: "maybe" } }).message).toBe(
    'thinking.type must be one of enabled, disabled, adaptive, auto, got "maybe"',
  )
})

test("an argument of the template is stronger than the effort, and reaches the template", () => {
  const chat_template_kwargs = { enable_thinking: true, extra: [1] }
  const { request } = call({ reasoning_effort: "none", chat_template_kwargs })
  expect(request.reasoning).toEqual({ isEnabled: true })
  expect(request.templateArguments).toEqual(chat_template_kwargs)
})

test("a budget has any of five names, and -1 is none", () => {
  const given = (tokens: number) => [
    { thinking_budget_tokens: tokens },
    { reasoning_budget_tokens: tokens },
    { thinking_token_budget: tokens },
    { reasoning: { max_tokens: tokens } },
    { thinking: { budget_tokens: tokens } },
  ]
  for (const fields of given(0)) expect(reasoningOf(fields)).toEqual({ budgetTokens: 0 })
  for (const fields of given(50)) expect(reasoningOf(fields)).toEqual({ budgetTokens: 50 })
  for (const fields of given(-1)) expect(reasoningOf(fields)).toBeUndefined()
  expect(refused({ reasoning: { max_tokens: "x" } })).toMatchObject({ param: "reasoning.max_tokens" })
  expect(refused({ thinking: { budget_tokens: -2 } })).toMatchObject({ param: "thinking.budget_tokens" })
})

test("thinking stays in the text, or is left out, where the client asks for that", () => {
  expect(reasoningOf({ reasoning_format: "none" })).toEqual({ isInline: true })
  expect(reasoningOf({ separate_reasoning: false })).toEqual({ isInline: true })
  for (const fields of [{ include_reasoning: false }, { reasoning: { exclude: true } }])
    expect(call(fields)).toMatchObject({ reply: { hidesReasoning: true } })
  for (const fields of [{ include_reasoning: true }, { reasoning: { exclude: false } }])
    expect(call(fields)).toEqual(call({}))
})
