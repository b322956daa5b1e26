import { expect, test } from "bun:test"
import { Watchdog } from "../../../src/engine/process/watchdog"

const LIMITS = { stepMs: 30_000, stepFactor: 20 }

function watchOf(mostMs: () => number = () => 120_000): Watchdog {
  return new Watchdog(LIMITS, mostMs)
}

test("silence matters only while a request is open", () => {
  const watch = watchOf()
  expect(watch.overdueAt).toBeUndefined()
  watch.setBusy(true, 1_000)
  expect(watch.overdueAt).toBe(31_000)
  watch.setBusy(false, 2_000)
  expect(watch.overdueAt).toBeUndefined()
})

test("each sign of life moves the deadline", () => {
  const watch = watchOf()
  watch.setBusy(true, 0)
  watch.sign(500)
  watch.sign(900)
  expect(watch.overdueAt).toBe(30_900)
})

test("another request does not move the deadline", () => {
  const watch = watchOf()
  watch.setBusy(true, 0)
  watch.setBusy(true, 20_000)
  expect(watch.overdueAt).toBe(30_000)
})

test("a worker whose slowest step took three seconds may take a minute", () => {
  const watch = watchOf()
  watch.setBusy(true, 0)
  watch.sign(3_000)
  watch.sign(3_100)
  expect(watch.limitMs).toBe(60_000)
  expect(watch.overdueAt).toBe(63_100)
})

test("idle time is no slow step", () => {
  const watch = watchOf()
  watch.setBusy(true, 0)
  watch.sign(100)
  watch.setBusy(false, 100)
  watch.setBusy(true, 3_600_000)
  watch.sign(3_600_100)
  expect(watch.limitMs).toBe(30_000)
})

test("requests that are given up and sent again do not hide a worker that hangs", () => {
  const watch = watchOf()
  for (const start of [0, 100_000]) {
    watch.setBusy(true, start)
    watch.setBusy(false, start + 12_000)
  }
  watch.setBusy(true, 200_000)
  expect(watch.overdueAt).toBe(206_000)
  watch.sign(201_000)
  expect(watch.overdueAt).toBeGreaterThan(231_000)
})

test("after one slow step a worker that hangs is given no more than the most that is allowed", () => {
  const watch = watchOf()
  watch.setBusy(true, 0)
  watch.sign(29_000)
  expect(watch.limitMs).toBe(120_000)
  expect(watch.overdueAt).toBe(149_000)
})

test("the most that is allowed counts as it is now, below the usual limit as well", () => {
  let most = 120_000
  const watch = watchOf(() => most)
  watch.setBusy(true, 0)
  most = 5_000
  expect(watch.overdueAt).toBe(5_000)
})

test("a slow step is forgotten after some hundred quick ones", () => {
  const watch = watchOf()
  watch.setBusy(true, 0)
  watch.sign(4_000)
  let now = 4_000
  const quickSteps = (count: number) => {
    for (let step = 0; step < count; step++) watch.sign((now += 10))
  }
  quickSteps(511)
  expect(watch.limitMs).toBe(80_000)
  quickSteps(1)
  expect(watch.limitMs).toBe(30_000)
})
