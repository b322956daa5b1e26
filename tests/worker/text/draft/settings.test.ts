import { expect, test } from "bun:test"
import { describeSpeculation } from "../../../../src/worker/text/draft/settings"

const AUTO = { speculation: "auto", draftMax: 16 } as const

test("layers of the model's own that could guess are said to be unused", () => {
  const described = (ownLayers: boolean) =>
    describeSpeculation(AUTO, { trims: true }, 0, { draftModel: false, ownLayers }).explanation
  expect(described(false)).toBe("from earlier text, where it is faster")
  expect(described(true)).toBe(
    "from earlier text, where it is faster; its own layers for guessing (multi-token prediction) are not supported",
  )
})
