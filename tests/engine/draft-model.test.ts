import { expect, test } from "bun:test"
import type { ModelSummary } from "../../src/domain/model"
import { withDraft } from "../../src/engine/model-kinds"

const MODEL: ModelSummary = {
  name: "big",
  kind: "text",
  id: "abc",
  path: "/big.gguf",
  sizeBytes: 110,
  modifiedAt: new Date(0),
  parts: [
    { role: "adapter", name: "a.gguf", path: "/a.gguf", sizeBytes: 4, scale: 1 },
    { role: "draft", name: "old.gguf", path: "/old.gguf", sizeBytes: 6 },
  ],
} as ModelSummary

test("a draft model from the settings takes the place of the model's own, and counts as a part", () => {
  const draft = { name: "small", path: "/small.gguf", sizeBytes: 30 }
  expect(withDraft(MODEL, draft)).toEqual({
    ...MODEL,
    sizeBytes: 134,
    parts: [MODEL.parts![0]!, { role: "draft", name: "small", path: "/small.gguf", sizeBytes: 30 }],
  })
})

test("of a draft model's own parts nothing is taken", () => {
  const parts = [{ role: "adapter", name: "b.gguf", path: "/b.gguf", sizeBytes: 5 }] as const
  const draft = { name: "small", path: "/small.gguf", sizeBytes: 35, parts }
  expect(withDraft(MODEL, draft).parts?.at(-1)).toEqual({
    role: "draft",
    name: "small",
    path: "/small.gguf",
    sizeBytes: 30,
  })
})
