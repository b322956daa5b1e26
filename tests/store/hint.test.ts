import { expect, test } from "bun:test"
import { hintFor } from "../../src/store/hint"

test.each([
  ["smal", ["small:latest", "other:latest"], "; did you mean 'small'?"],
  ["Small.GGUF", ["small:latest"], "; did you mean 'small'?"],
  ["gpt-4o", [], "; there are no models here yet: 'xllm pull qwen3:0.6b' downloads one"],
  ["gpt-4o", ["qwen2.5-0.5b"], "; there is only 'qwen2.5-0.5b'"],
  ["gpt-4o", ["org/qwen2.5:q4", "llama3:latest"], "; there are 'llama3' and 'org/qwen2.5:q4'"],
  ["gpt-4o", ["tiny", "tiny:latest"], "; there are 'tiny' and 'tiny:latest'"],
  ["tiny:lates", ["tiny", "tiny:latest"], "; did you mean 'tiny:latest'?"],
  [
    "gpt-4o",
    ["aaaaaaaaaa", "bbbbbbbbbb", "gpt-neo-2.7b", "cccccccccc", "dddddddddd", "gpt-oss-20b", "eeeeeeeeee"],
    "; there are 'gpt-neo-2.7b', 'gpt-oss-20b', 'aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc' and 2 more",
  ],
])("%p among %p: %p", (asked, models, hint) => {
  expect(hintFor(asked, models)).toBe(hint)
})

test("a hint is short, however many and however long the names are", () => {
  const models = Array.from({ length: 5000 }, (_, index) => `model-number-${index}`)
  const hint = hintFor("x".repeat(1_000_000), models)
  expect(hint).toEndWith(" and 4995 more")
  expect(hint.length).toBeLessThan(150)
})
