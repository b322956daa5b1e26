import { expect, test } from "bun:test"
import { AdmissionQueue } from "../../src/engine/admission-queue"

function startAll(queue: AdmissionQueue<string>, slots: number): string[] {
  const started: string[] = []
  for (let next = queue.startNext(slots); next !== undefined; next = queue.startNext(slots))
    started.push(next)
  return started
}

test("those who come first start first, and no more of them than there are slots", () => {
  const queue = new AdmissionQueue<string>(10)
  for (const name of ["a", "b", "c", "d"]) queue.join(name, 1, 2)
  expect(startAll(queue, 2)).toEqual(["a", "b"])
  expect([...queue.waiting()]).toEqual(["c", "d"])
  queue.leave("b")
  expect(startAll(queue, 2)).toEqual(["c"])
})

test("a member with more sequences than free slots starts as soon as one is free, and then holds all of its own", () => {
  const queue = new AdmissionQueue<string>(10)
  for (const [name, weight] of [
    ["a", 1],
    ["b", 1],
    ["wide", 4],
    ["c", 1],
  ] as const)
    queue.join(name, weight, 2)
  expect(startAll(queue, 2)).toEqual(["a", "b"])
  queue.leave("a")
  expect(startAll(queue, 2)).toEqual(["wide"])
  queue.leave("b")
  expect(startAll(queue, 2)).toEqual([])
  queue.leave("wide")
  expect(startAll(queue, 2)).toEqual(["c"])
})

test("the limit counts those who have to wait, not those for whom a slot is free", () => {
  const queue = new AdmissionQueue<string>(1)
  expect(["a", "b", "c", "d"].map((name) => queue.join(name, 1, 2))).toEqual([true, true, true, false])
  expect(startAll(queue, 2)).toEqual(["a", "b"])
  expect(queue.join("e", 1, 2)).toBe(false)
  queue.leave("c")
  expect(queue.join("e", 1, 2)).toBe(true)
})

test("without room to wait a member is still taken while a slot is free", () => {
  const queue = new AdmissionQueue<string>(0)
  expect(queue.join("a", 1, 1)).toBe(true)
  startAll(queue, 1)
  expect(queue.join("b", 1, 1)).toBe(false)
})

test("leaving twice frees the slots once", () => {
  const queue = new AdmissionQueue<string>(10)
  for (const name of ["a", "b", "c", "d"]) queue.join(name, 1, 2)
  startAll(queue, 2)
  expect(queue.leave("a")).toBe(true)
  expect(queue.leave("a")).toBe(false)
  expect(startAll(queue, 2)).toEqual(["c"])
})

test("whatever comes and goes, no slot is lost, none is idle while somebody waits, and order is kept", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = generator(seed)
    const slots = 1 + random(5)
    const queue = new AdmissionQueue<string>(20)
    const weights = new Map<string, number>()
    const running = new Set<string>()
    let expected: string[] = []
    for (let turn = 0; turn < 120; turn++) {
      const present = [...running, ...expected]
      const leaver = present[random(present.length + 1)]
      if (random(2) === 0 && leaver !== undefined) {
        queue.leave(leaver)
        running.delete(leaver)
        expected = expected.filter((name) => name !== leaver)
      } else {
        const name = `${seed}.${turn}`
        weights.set(name, 1 + random(7))
        if (queue.join(name, weights.get(name) ?? 0, slots)) expected.push(name)
      }
      for (const name of startAll(queue, slots)) {
        expect(sum(running, weights)).toBeLessThan(slots)
        expect(name).toBe(expected.shift() ?? "nobody")
        running.add(name)
      }
      expect([...queue.waiting()]).toEqual(expected)
      if (expected.length > 0) expect(sum(running, weights)).toBeGreaterThanOrEqual(slots)
    }
    for (const name of [...running, ...expected]) queue.leave(name)
    for (let index = 0; index < slots; index++) queue.join(`last${index}`, 1, slots)
    expect(startAll(queue, slots)).toHaveLength(slots)
  }
})

function sum(names: Iterable<string>, weights: ReadonlyMap<string, number>): number {
  let total = 0
  for (const name of names) total += weights.get(name) ?? 0
  return total
}

/** Whole numbers below a bound, always the same ones for a seed (a linear congruential generator). */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
