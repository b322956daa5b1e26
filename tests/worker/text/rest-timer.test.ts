import { afterEach, beforeEach, expect, jest, test } from "bun:test"
import { RestTimer } from "../../../src/worker/text/rest-timer"

beforeEach(() => void jest.useFakeTimers())
afterEach(() => void jest.useRealTimers())

test("memory is given back once nothing has run for a minute", () => {
  const rest = jest.fn()
  const timer = new RestTimer(rest)
  timer.start()
  jest.advanceTimersByTime(59_999)
  expect(rest).not.toHaveBeenCalled()
  jest.advanceTimersByTime(1)
  expect(rest).toHaveBeenCalledTimes(1)
  jest.advanceTimersByTime(600_000)
  expect(rest).toHaveBeenCalledTimes(1)
})

test("the minute begins anew after each work, and does not pass while there is work", () => {
  const rest = jest.fn()
  const timer = new RestTimer(rest)
  timer.start()
  jest.advanceTimersByTime(59_000)
  timer.stop()
  jest.advanceTimersByTime(600_000)
  timer.start()
  jest.advanceTimersByTime(30_000)
  timer.start()
  jest.advanceTimersByTime(59_000)
  expect(rest).not.toHaveBeenCalled()
  jest.advanceTimersByTime(1000)
  expect(rest).toHaveBeenCalledTimes(1)
})
