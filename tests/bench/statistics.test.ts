import { expect, test } from "bun:test"
import { medianSample } from "../../bench/statistics"
import { median, percentile } from "../../src/measure/statistics"

test("a percentile lies between the sorted neighbours, whatever the order of the values", () => {
  expect(percentile([40, 10, 30, 20], 0.5)).toBe(25)
  expect(percentile([40, 10, 30, 20], 0)).toBe(10)
  expect(percentile([40, 10, 30, 20], 1)).toBe(40)
  expect(percentile([0, 100], 0.95)).toBeCloseTo(95)
  expect(percentile([7], 0.95)).toBe(7)
})

test("no values have no median", () => {
  expect(() => median([])).toThrow(RangeError)
})

test("the median is taken of each metric by itself", () => {
  const samples = [
    { rate: 1, wait: 30 },
    { rate: 3, wait: 10 },
    { rate: 2, wait: 20 },
  ]
  expect(medianSample(samples)).toEqual({ rate: 2, wait: 20 })
})

test("a metric that one repetition lacks is the median of the others", () => {
  expect(medianSample([{ rate: 4 }, { rate: 6, wait: 5 }])).toEqual({ rate: 5, wait: 5 })
})
