import { expect, test } from "bun:test"
import { AdmissionQueue, ServiceRate } from "../../../src/engine/serving/request-queue"

test("the first to come is the head, and the next one once it has left", () => {
  const queue = new AdmissionQueue<string>(10)
  for (const name of ["a", "b", "c"]) expect(queue.join(name, 0)).toBe(true)
  expect(queue.head).toBe("a")
  expect([...queue]).toEqual(["a", "b", "c"])
  expect(queue.leave("a")).toBe(true)
  expect(queue.head).toBe("b")
  expect(queue.count).toBe(2)
})

test("a full queue takes nobody, until one leaves", () => {
  const queue = new AdmissionQueue<string>(2)
  expect(["a", "b", "c"].map((name) => queue.join(name, 0))).toEqual([true, true, false])
  queue.leave("b")
  expect(queue.join("c", 0)).toBe(true)
  expect([...queue]).toEqual(["a", "c"])
})

test("those that can start at once do not count as waiting", () => {
  const queue = new AdmissionQueue<string>(0)
  expect(["a", "b", "c"].map((name) => queue.join(name, 2))).toEqual([true, true, false])
  expect(queue.join("d", -1)).toBe(false)
})

test("one in the middle leaves, and leaving twice is nothing", () => {
  const queue = new AdmissionQueue<string>(5)
  for (const name of ["a", "b", "c"]) queue.join(name, 0)
  expect([queue.leave("b"), queue.leave("b"), queue.leave("x")]).toEqual([true, false, false])
  expect([...queue]).toEqual(["a", "c"])
})

test("a limit that is raised lets more in", () => {
  const queue = new AdmissionQueue<string>(0)
  expect(queue.join("a", 0)).toBe(false)
  queue.limit = 1
  expect(queue.join("a", 0)).toBe(true)
  expect(new AdmissionQueue<string>(1).head).toBeUndefined()
})

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
