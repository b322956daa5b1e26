import { expect, test } from "bun:test"
import { QualitySums } from "../../src/measure/quality"
import { divergence, logSumExp, topOf } from "../../src/worker/measure/log-probs"

const window = (values: readonly number[], bytes: number) => ({
  tokens: values.length,
  bytes,
  negativeLogProbs: Float64Array.from(values),
})

test("perplexity, its error, and bits per byte are those of all windows together", () => {
  const sums = new QualitySums()
  expect(sums.figures()).toBeUndefined()
  sums.add(window([1, 2], 4))
  sums.add(window([3, 2], 4))
  const figures = sums.figures()
  expect(figures).toMatchObject({ windows: 2, tokens: 4 })
  expect(figures?.perplexity).toBeCloseTo(Math.exp(2), 10)
  // The variance is 1/2, of four tokens.
  expect(figures?.perplexityError).toBeCloseTo(Math.exp(2) * Math.sqrt(0.5 / 3), 10)
  expect(figures?.bitsPerByte).toBeCloseTo(8 / Math.LN2 / 8, 10)
  expect(figures?.divergence).toBeUndefined()
})

test("divergences have a mean, an error and a 99th percentile", () => {
  const sums = new QualitySums()
  sums.add({ ...window([1, 1, 1], 3), divergences: Float64Array.of(0, 0.1, 0.2), sameTop: 2 })
  const { divergence: found } = sums.figures() ?? {}
  expect(found?.mean).toBeCloseTo(0.1, 10)
  expect(found?.p99).toBeCloseTo(0.198, 10)
  expect(found?.sameTop).toBeCloseTo(2 / 3, 10)
})

test("log probabilities are exact for large logits, and a distribution does not diverge from itself", () => {
  expect(logSumExp(Float32Array.of(1000, 1000))).toBeCloseTo(1000 + Math.LN2, 10)
  const base = Float32Array.of(0, 1, 2, -50)
  expect(divergence(base, logSumExp(base), base, logSumExp(base))).toBe(0)
  const [half, other] = [Float32Array.of(0, 0), Float32Array.of(Math.log(3), 0)]
  // Of halves from three quarters and one quarter.
  const expected = 0.5 * Math.log(0.5 / 0.75) + 0.5 * Math.log(0.5 / 0.25)
  expect(divergence(half, logSumExp(half), other, logSumExp(other))).toBeCloseTo(expected, 6)
  expect(topOf(Float32Array.of(1, 5, 5, 2))).toBe(1)
})
