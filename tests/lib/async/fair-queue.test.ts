import { expect, test } from "bun:test"
import { FairQueue } from "../../../src/lib/async/fair-queue"

function head(queue: FairQueue<string>): string | undefined {
  return [...queue][0]
}

test("the first to come is the head, and the next one once it has left", () => {
  const queue = new FairQueue<string>(10)
  for (const name of ["a", "b", "c"]) expect(queue.join(name, 0)).toBe(true)
  expect(head(queue)).toBe("a")
  expect([...queue]).toEqual(["a", "b", "c"])
  expect(queue.leave("a")).toBe(true)
  expect(head(queue)).toBe("b")
  expect(queue.count).toBe(2)
})

test("a full queue takes nobody, until one leaves", () => {
  const queue = new FairQueue<string>(2)
  expect(["a", "b", "c"].map((name) => queue.join(name, 0))).toEqual([true, true, false])
  queue.leave("b")
  expect(queue.join("c", 0)).toBe(true)
  expect([...queue]).toEqual(["a", "c"])
})

test("those that can start at once do not count as waiting", () => {
  const queue = new FairQueue<string>(0)
  expect(["a", "b", "c"].map((name) => queue.join(name, 2))).toEqual([true, true, false])
  expect(queue.join("d", -1)).toBe(false)
})

test("one in the middle leaves, and leaving twice is nothing", () => {
  const queue = new FairQueue<string>(5)
  for (const name of ["a", "b", "c"]) queue.join(name, 0)
  expect([queue.leave("b"), queue.leave("b"), queue.leave("x")]).toEqual([true, false, false])
  expect([...queue]).toEqual(["a", "c"])
})

test("a limit that is raised lets more in", () => {
  const queue = new FairQueue<string>(0)
  expect(queue.join("a", 0)).toBe(false)
  queue.limit = 1
  expect(queue.join("a", 0)).toBe(true)
  expect(head(new FairQueue<string>(1))).toBeUndefined()
})

/** Members of a group have one first letter. */
function groups(served: Readonly<Record<string, number>> = {}): FairQueue<string> {
  return new FairQueue<string>(100, {
    groupOf: (member) => member.slice(0, 1),
    servedOf: (group) => served[String(group)] ?? 0,
  })
}

test("groups take turns, whatever their size", () => {
  const queue = groups()
  for (const name of ["a1", "a2", "a3", "b1", "c1", "c2"]) queue.join(name, 0)
  expect([...queue]).toEqual(["a1", "b1", "c1", "a2", "c2", "a3"])
})

test("a group of which many are served comes after one of which fewer are", () => {
  const queue = groups({ a: 4, c: 1 })
  for (const name of ["a5", "a6", "b1", "c2", "c3"]) queue.join(name, 0)
  expect([...queue]).toEqual(["b1", "c2", "c3", "a5", "a6"])
})

test("where one is served at a time, groups alternate", () => {
  const queue = groups()
  for (const name of ["a1", "a2", "a3", "b1", "b2"]) queue.join(name, 0)
  const served: string[] = []
  for (let next = head(queue); next !== undefined; next = head(queue)) {
    queue.serve(next)
    served.push(next)
    if (served.length === 2) queue.join("c1", 0)
  }
  expect(served).toEqual(["a1", "b1", "a2", "b2", "c1", "a3"])
})
