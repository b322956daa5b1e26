import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test"
import { Alarm } from "../../../src/lib/async/alarm"

beforeEach(() => void jest.useFakeTimers())
afterEach(() => void jest.useRealTimers())

function alarm() {
  const state: { dueAt: number | undefined; rings: number } = { dueAt: undefined, rings: 0 }
  const made = new Alarm(
    () => state.dueAt,
    () => (state.rings += 1),
  )
  return { state, made, now: performance.now() }
}

test("it rings when the deadline has passed, not before", () => {
  const { state, made, now } = alarm()
  state.dueAt = now + 100
  made.arm()
  jest.advanceTimersByTime(99)
  expect(state.rings).toBe(0)
  jest.advanceTimersByTime(1)
  expect(state.rings).toBe(1)
})

test("a deadline that has moved is waited for without arming again", () => {
  const { state, made, now } = alarm()
  state.dueAt = now + 100
  made.arm()
  jest.advanceTimersByTime(90)
  state.dueAt = now + 250
  jest.advanceTimersByTime(159)
  expect(state.rings).toBe(0)
  jest.advanceTimersByTime(1)
  expect(state.rings).toBe(1)
})

test("a deadline that has gone away rings nothing, until it is armed for the next", () => {
  const { state, made, now } = alarm()
  state.dueAt = now + 100
  made.arm()
  state.dueAt = undefined
  jest.advanceTimersByTime(1_000)
  expect(state.rings).toBe(0)
  state.dueAt = now + 1_100
  made.arm()
  jest.advanceTimersByTime(100)
  expect(state.rings).toBe(1)
})

test("disarmed, it is silent", () => {
  const { state, made, now } = alarm()
  state.dueAt = now + 100
  made.arm()
  made.disarm()
  jest.advanceTimersByTime(1_000)
  expect(state.rings).toBe(0)
})

test("where this process itself was paused, the other side gets time to show life first", () => {
  const { state, made, now } = alarm()
  state.dueAt = now + 100
  made.arm()
  const clock = spyOn(performance, "now").mockReturnValue(now + 60_000)
  jest.advanceTimersByTime(100)
  expect(state.rings).toBe(0)
  clock.mockReturnValue(now + 65_000)
  jest.advanceTimersByTime(5_000)
  clock.mockRestore()
  expect(state.rings).toBe(1)
})
