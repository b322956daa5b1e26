import { describe, expect, test } from "bun:test"
import { LogprobReader } from "../../../../src/worker/text/sampling/logprobs"

const bytes = (token: number): Uint8Array => Uint8Array.of(token & 255)

/** The definition, without any care for range. */
function softmaxLog(logits: readonly number[], token: number): number {
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0)
  return Math.log(Math.exp(logits[token] ?? 0) / sum)
}

function randomLogits(seed: number, count: number): number[] {
  let state = seed
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state / 2 ** 32) * 20 - 10
  })
}

describe("log probabilities", () => {
  test("are those of a softmax over all logits", () => {
    const logits = randomLogits(1, 300)
    const reader = LogprobReader.of(Float32Array.from(logits))
    for (const token of [0, 17, 299])
      expect(reader.read(token, 0, bytes).logprob).toBeCloseTo(softmaxLog(logits, token), 5)
  })

  test("add up to a probability of one", () => {
    const { top } = LogprobReader.of(Float32Array.from(randomLogits(2, 50))).read(0, 50, bytes)
    expect(top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 6)
  })

  test("are right for logits beyond the range of exp", () => {
    const { logprob, top } = LogprobReader.of(Float32Array.of(1000, 999, -1000)).read(1, 1, bytes)
    expect(logprob).toBeCloseTo(softmaxLog([1, 0, -1999], 1), 5)
    expect(top[0]?.logprob).toBeCloseTo(softmaxLog([1, 0, -1999], 0), 5)
  })

  test("are minus infinity for a token that is ruled out", () => {
    const reader = LogprobReader.of(Float32Array.of(1, Number.NEGATIVE_INFINITY, 2))
    expect(reader.read(1, 0, bytes).logprob).toBe(Number.NEGATIVE_INFINITY)
  })

  test("are of the logits as they were, whatever samplers do to them later", () => {
    const logits = Float32Array.of(3, 2, 1)
    const reader = LogprobReader.of(logits)
    logits.fill(0)
    expect(reader.read(0, 3, bytes).top.map(({ id }) => id)).toEqual([0, 1, 2])
    expect(reader.read(0, 0, bytes).logprob).toBeCloseTo(softmaxLog([3, 2, 1], 0), 6)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("are refused where a logit is %p", (broken) => {
    expect(() => LogprobReader.of(Float32Array.of(1, broken, 2))).toThrow("not a number")
    expect(() => LogprobReader.of(new Float32Array(3).fill(Number.NEGATIVE_INFINITY))).toThrow("not a number")
  })

  test("come with the bytes of their tokens", () => {
    const { bytes: own, top } = LogprobReader.of(Float32Array.of(0, 5, 9)).read(1, 1, bytes)
    expect([own, top[0]?.bytes]).toEqual([[1], [2]])
  })
})

describe("the most probable tokens", () => {
  test("are the same as a sort finds, best first", () => {
    for (const count of [1, 2, 7, 20]) {
      const logits = randomLogits(count, 200)
      const sorted = logits
        .map((logit, id) => ({ id, logit: Math.fround(logit) }))
        .sort((a, b) => b.logit - a.logit)
      const { top } = LogprobReader.of(Float32Array.from(logits)).read(0, count, bytes)
      expect(top.map(({ id }) => id)).toEqual(sorted.slice(0, count).map(({ id }) => id))
    }
  })

  test("of equal ones are those with the lowest ids", () => {
    const { top } = LogprobReader.of(Float32Array.of(1, 5, 5, 5, 0)).read(0, 2, bytes)
    expect(top.map(({ id }) => id)).toEqual([1, 2])
  })

  test("are as many as asked for, none where none is", () => {
    const reader = LogprobReader.of(Float32Array.of(1, 5, 2))
    expect(reader.read(0, 0, bytes).top).toEqual([])
    expect(reader.read(0, 9, bytes).top.map(({ id }) => id)).toEqual([1, 2, 0])
  })
})
