import { expect, test } from "bun:test"
import { ServiceRate } from "../../../src/engine/serving/service-rate"

test("before anything was measured a refused client is told five seconds", () => {
  expect(new ServiceRate().retryAfterSeconds(1000)).toBe(5)
})

test("a refused client is told when half of the queue will have been served", () => {
  const rate = new ServiceRate()
  rate.backlogBegan(10_000)
  for (let count = 1; count <= 5; count++) rate.started(10_000 + count * 200)
  expect(rate.retryAfterSeconds(100)).toBe(10)
})

test("time without a backlog does not count as slowness", () => {
  const rate = new ServiceRate()
  rate.backlogBegan(0)
  rate.started(200)
  rate.backlogBegan(3_600_000)
  rate.started(3_600_200)
  expect(rate.retryAfterSeconds(100)).toBe(10)
})

test("the answer follows a queue that has become slower", () => {
  const rate = new ServiceRate()
  rate.backlogBegan(0)
  rate.started(100)
  for (let count = 1; count <= 60; count++) rate.started(100 + count * 1000)
  expect(rate.retryAfterSeconds(20)).toBe(10)
})

test("the answer is at least a second and at most two minutes", () => {
  const fast = new ServiceRate()
  fast.backlogBegan(0)
  fast.started(1)
  expect(fast.retryAfterSeconds(3)).toBe(1)
  const slow = new ServiceRate()
  slow.backlogBegan(0)
  slow.started(60_000)
  expect(slow.retryAfterSeconds(1000)).toBe(120)
})
