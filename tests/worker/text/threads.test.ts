import { describe, expect, test } from "bun:test"
import { type CpuTimes, foreignCores, ThreadGovernor, threadsBeside } from "../../../src/worker/text/threads"

describe("cores that others keep busy", () => {
  test.each([
    ["none where only this process works", { busy: 200, own: 200, total: 400 }, 4, 0],
    ["one where another process fills a core", { busy: 300, own: 200, total: 400 }, 4, 1],
    ["half where it does so half the time", { busy: 250, own: 200, total: 400 }, 4, 0.5],
    ["none where the clocks of the two disagree", { busy: 190, own: 200, total: 400 }, 4, 0],
    ["none where no time has passed", { busy: 0, own: 0, total: 0 }, 4, 0],
  ])("are %s", (_, since, cores, expected) => {
    const before: CpuTimes = { busy: 1000, total: 5000, own: 300 }
    const after = { busy: 1000 + since.busy, total: 5000 + since.total, own: 300 + since.own }
    expect(foreignCores(before, after, cores)).toBe(expected)
  })
})

test.each([
  [0, 4, 4],
  [0.4, 4, 4],
  [0.6, 4, 3],
  [1, 4, 3],
  [1.6, 4, 2],
  [1, 2, 1],
  [9, 2, 1],
])("beside %p busy cores, %p threads become %p", (foreign, threads, expected) => {
  expect(threadsBeside(foreign, threads)).toBe(expected)
})

/** A machine of four cores whose clock stands still between readings. */
class Machine {
  now = 0
  /** Cores that others keep busy. */
  foreign = 0
  tells = true
  readings = 0
  readonly settings: [decode: number, prefill: number][] = []
  #busy = 0
  #own = 0
  #total = 0

  readonly read = (): CpuTimes | undefined => {
    this.readings++
    return this.tells ? { busy: this.#busy, own: this.#own, total: this.#total } : undefined
  }

  readonly context = {
    setThreads: (decode: number, prefill: number): void => void this.settings.push([decode, prefill]),
  }

  pass(ms: number): void {
    const ticks = ms / 10
    this.now += ms
    this.#total += 4 * ticks
    this.#own += 2 * ticks
    this.#busy += (2 + this.foreign) * ticks
  }
}

describe("the number of threads", () => {
  function governed() {
    const machine = new Machine()
    const governor = new ThreadGovernor({ decode: 4, prefill: 3 }, 4, () => machine.now, machine.read)
    const step = (ms: number): void => {
      machine.pass(ms)
      governor.prepare(machine.context)
    }
    return { machine, step }
  }

  test("stays as it is on a machine of one's own", () => {
    const { machine, step } = governed()
    for (let count = 0; count < 20; count++) step(300)
    expect(machine.settings).toEqual([])
  })

  test("gives way to another process, and returns when that is done", () => {
    const { machine, step } = governed()
    step(300)
    machine.foreign = 1
    for (let count = 0; count < 5; count++) step(300)
    expect(machine.settings).toEqual([[3, 2]])
    machine.foreign = 0
    for (let count = 0; count < 5; count++) step(300)
    expect(machine.settings).toEqual([
      [3, 2],
      [4, 3],
    ])
  })

  test("is looked at a few times a second, however short steps are", () => {
    const { machine, step } = governed()
    for (let count = 0; count < 200; count++) step(5)
    expect(machine.readings).toBeLessThanOrEqual(5)
    expect(machine.readings).toBeGreaterThan(1)
  })

  test("takes no notice of what happened while nothing was computed", () => {
    const { machine, step } = governed()
    step(300)
    machine.foreign = 2
    step(60_000)
    machine.foreign = 0
    step(300)
    expect(machine.settings).toEqual([])
  })

  test("stays as it is where the system does not tell", () => {
    const { machine, step } = governed()
    machine.tells = false
    machine.foreign = 2
    for (let count = 0; count < 10; count++) step(300)
    expect(machine.settings).toEqual([])
  })
})
