import { expect, test } from "bun:test"
import { StepWatch } from "../../src/engine/step-watch"

const LIMITS = { stepMs: 30_000, stepFactor: 20 }

test("silence matters only while a request is open", () => {
  const watch = new StepWatch(LIMITS)
  expect(watch.overdueAt).toBeUndefined()
  watch.setBusy(true, 1_000)
  expect(watch.overdueAt).toBe(31_000)
  watch.setBusy(false, 2_000)
  expect(watch.overdueAt).toBeUndefined()
})

test("each sign of life moves the deadline", () => {
  const watch = new StepWatch(LIMITS)
  watch.setBusy(true, 0)
  watch.sign(500)
  watch.sign(900)
  expect(watch.overdueAt).toBe(30_900)
})

test("another request does not move the deadline", () => {
  const watch = new StepWatch(LIMITS)
  watch.setBusy(true, 0)
  watch.setBusy(true, 20_000)
  expect(watch.overdueAt).toBe(30_000)
})

test("a worker whose slowest step took three seconds may take a minute", () => {
  const watch = new StepWatch(LIMITS)
  watch.setBusy(true, 0)
  watch.sign(3_000)
  watch.sign(3_100)
  expect(watch.limitMs).toBe(60_000)
  expect(watch.overdueAt).toBe(63_100)
})

test("idle time is no slow step", () => {
  const watch = new StepWatch(LIMITS)
  watch.setBusy(true, 0)
  watch.sign(100)
  watch.setBusy(false, 100)
  watch.setBusy(true, 3_600_000)
  watch.sign(3_600_100)
  expect(watch.limitMs).toBe(30_000)
})

test("requests that are given up and sent again do not hide a worker that hangs", () => {
  const watch = new StepWatch(LIMITS)
  for (const start of [0, 100_000]) {
    watch.setBusy(true, start)
    watch.setBusy(false, start + 12_000)
  }
  watch.setBusy(true, 200_000)
  expect(watch.overdueAt).toBe(206_000)
  watch.sign(201_000)
  expect(watch.overdueAt).toBeGreaterThan(231_000)
})
