import { expect, test } from "bun:test"
import { AdmissionQueue } from "../../src/engine/admission-queue"

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
