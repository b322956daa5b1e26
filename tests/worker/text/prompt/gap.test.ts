import { expect, test } from "bun:test"
import type { CompletionRequest } from "../../../../src/domain/chat"
import { gapTokens } from "../../../../src/worker/text/prompt/gap"

const [PREFIX, SUFFIX, MIDDLE, FILE] = [1000, 1001, 1002, 1003]

/** A token for each byte, and a count of those read. */
function byteVocabulary() {
  const read = { characters: 0 }
  const vocabulary = {
    addsBos: false,
    bos: 0,
    fillInTheMiddle: { prefix: PREFIX, suffix: SUFFIX, middle: MIDDLE, file: FILE },
    tokenize(text: string) {
      read.characters += text.length
      return Int32Array.from(new TextEncoder().encode(text))
    },
  }
  return { read, vocabulary }
}

function infill(fields: Partial<CompletionRequest>): CompletionRequest {
  return {
    kind: "completion",
    prompt: "",
    n: 1,
    minTokens: 0,
    stop: [],
    sampling: {},
    cachePrompt: true,
    returnProgress: false,
    echo: false,
    cutsToFit: true,
    ...fields,
  }
}

const [A, B, X] = [..."abx"].map((letter) => letter.charCodeAt(0)) as [number, number, number]

test("a gap in megabytes of text takes no more work than its context", () => {
  const { read, vocabulary } = byteVocabulary()
  const files = Array.from({ length: 256 }, (_, index) => ({
    name: String(index),
    text: "f".repeat(60_000),
  }))
  const request = infill({ prompt: "a".repeat(7_000_000), files })
  const tokens = gapTokens(request, "b".repeat(7_000_000), vocabulary, 103)
  expect(tokens).toEqual([PREFIX, ...Array(75).fill(A), SUFFIX, ...Array(25).fill(B), MIDDLE])
  expect(read.characters).toBeLessThan(10_000)
})

test("files fill what the gap's own text leaves, the last ones first", () => {
  const { vocabulary } = byteVocabulary()
  const files = [
    { name: "n", text: "x".repeat(1_000_000) },
    { name: "m", text: "xx" },
  ]
  const tokens = gapTokens(infill({ prompt: "a", files }), "b", vocabulary, 20)
  const [newline, m] = [10, "m".charCodeAt(0)]
  const last = [FILE, m, newline, X, X, FILE, newline]
  expect(tokens).toEqual([...Array(8).fill(X), ...last, PREFIX, A, SUFFIX, B, MIDDLE])
})

test("a text whose tokens are long is read as far as it fits", () => {
  const { vocabulary } = byteVocabulary()
  // One token for 1,000 characters.
  const long = { ...vocabulary, tokenize: (text: string) => new Int32Array(Math.ceil(text.length / 1000)) }
  const tokens = gapTokens(infill({ prompt: "a".repeat(50_000) }), "", long, 53)
  expect(tokens).toHaveLength(53)
})
