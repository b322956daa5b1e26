import { expect, test } from "bun:test"
import { shortRope } from "../../../../src/worker/text/growth/context-factory"

function of(entries: Readonly<Record<string, string>>): number {
  return shortRope({ metadata: (key) => entries[key] })
}

test("a model with factors for short and for long contexts changes them at its original length", () => {
  expect(of({ "general.architecture": "phi3", "phi3.rope.scaling.original_context_length": "4096" })).toBe(
    4096,
  )
})

test("other models have the same factors in every context", () => {
  expect(of({ "general.architecture": "llama" })).toBe(Number.POSITIVE_INFINITY)
  expect(
    of({
      "general.architecture": "qwen2",
      "qwen2.rope.scaling.type": "yarn",
      "qwen2.rope.scaling.original_context_length": "32768",
    }),
  ).toBe(Number.POSITIVE_INFINITY)
})
