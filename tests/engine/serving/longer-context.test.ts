import { expect, test } from "bun:test"
import { withContextAdvice } from "../../../src/engine/serving/longer-context"
import { fromWire, XllmError } from "../../../src/errors/base"
import { ContextLengthExceeded, InputTooLong } from "../../../src/errors/request"

const ROPE = { scaling: "none", freqBase: 10_000, freqScale: 1 }
const SHORT = { contextLength: 8192, trainedContextLength: 32_768, rope: ROPE }
const F16 = { kvTypeK: "f16", kvTypeV: "f16", flashAttention: "auto" } as const
const Q8 = { kvTypeK: "q8_0", kvTypeV: "q8_0", flashAttention: "auto" } as const

const START = "Input tokens exceed the configured limit of 8192 tokens: the prompt has 9000; shorten it"

/** As it arrives from a worker. */
const tooLong = (isLowerBound = false) =>
  fromWire(new ContextLengthExceeded(9000, 8192, "messages", isLowerBound).toWire())

test.each([
  [
    "a larger context, and a smaller cache",
    SHORT,
    F16,
    ", or load the model with a larger context (--ctx, up to 32768); if memory is short, with --cache-type-k q8_0 and --cache-type-v q8_0, which take 47 % less memory",
  ],
  [
    "a larger context where the cache is small already",
    SHORT,
    Q8,
    ", or load the model with a larger context (--ctx, up to 32768)",
  ],
  [
    "a larger context where flash attention, which q8_0 needs, is off",
    SHORT,
    { ...F16, flashAttention: "off" },
    ", or load the model with a larger context (--ctx, up to 32768)",
  ],
  [
    "more memory where memory is the limit",
    { ...SHORT, contextLimitedBy: "memory" },
    F16,
    ", or allow more than memory does now, up to 32768: --cache-type-k q8_0 and --cache-type-v q8_0, which take 47 % less memory; or more memory for the model (--memory, fewer other models)",
  ],
  [
    "a stretched model where all of its length is in use",
    { ...SHORT, trainedContextLength: 8192 },
    F16,
    ", or stretch the model beyond what it was trained for (--ctx with --rope-scaling yarn and --rope-freq-scale)",
  ],
  [
    "nothing where a model cannot be stretched",
    { contextLength: 8192, trainedContextLength: 8192 },
    F16,
    ": the model was trained for no more",
  ],
] as const)("the refusal of a prompt names both numbers, and %s", (_what, info, settings, advice) => {
  const error = withContextAdvice(tooLong(), info, settings)
  expect(error.message).toBe(START + advice)
  expect(error).toMatchObject({
    status: 400,
    code: "context_length_exceeded",
    param: "messages",
    details: { n_prompt_tokens: 9000, n_ctx: 8192 },
  })
})

test("a number that is only a lower bound stays one", () => {
  const { message, details } = withContextAdvice(tooLong(true), SHORT, F16)
  expect(message).toContain("the prompt has at least 9000; shorten it")
  expect(details).toMatchObject({ is_lower_bound: true })
})

test("other errors stay as they are", () => {
  const error = new XllmError("internal_error", 500, "no")
  expect(withContextAdvice(error, SHORT, F16)).toBe(error)
})

test("of a text to embed, its number and how to cut it stay", () => {
  const error = fromWire(new InputTooLong("input[1]", 9000, 8192).toWire())
  expect(withContextAdvice(error, SHORT, F16)).toBe(error)
  expect(error).toMatchObject({
    code: "context_length_exceeded",
    param: "input[1]",
    message:
      "Input tokens exceed the configured limit of 8192 tokens: input[1] has 9000; shorten it, or have it cut (truncate: true, or --truncate)",
  })
})
