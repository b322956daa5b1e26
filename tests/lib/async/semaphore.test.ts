import { expect, test } from "bun:test"
import { Semaphore } from "../../../src/lib/async/semaphore"

test("at most so many hold a place; the others get it in the order in which they came", async () => {
  const semaphore = new Semaphore(1)
  const order: string[] = []
  const first = await semaphore.acquire()
  const others = ["b", "c"].map(async (name) => {
    using _place = await semaphore.acquire()
    order.push(name)
  })
  expect(order).toEqual([])
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  await Promise.all(others)
  expect(order).toEqual(["b", "c"])
})

test("whoever gives up leaves the queue, and gets nothing", async () => {
  const semaphore = new Semaphore(1)
  const first = await semaphore.acquire()
  const stop = new AbortController()
  const waiting = semaphore.acquire(stop.signal)
  stop.abort(new Error("enough"))
  await expect(waiting).rejects.toThrow("enough")
  first[Symbol.dispose]()
  using _next = await semaphore.acquire()
  await expect(semaphore.acquire(AbortSignal.abort(new Error("late")))).rejects.toThrow("late")
})
