import { describe, expect, test } from "bun:test"
import {
  type CpuTimes,
  foreignCpus,
  parseCpuList,
  sumCpuTimes,
  ThreadGovernor,
  threadsBeside,
} from "../../../src/worker/text/threads"

describe("CPUs that others keep busy", () => {
  test.each([
    ["none where only this process works", { busy: 200, own: 200, total: 400 }, 4, 0],
    ["one where another process fills a core", { busy: 300, own: 200, total: 400 }, 4, 1],
    ["half where it does so half the time", { busy: 250, own: 200, total: 400 }, 4, 0.5],
    ["none where the clocks of the two disagree", { busy: 190, own: 200, total: 400 }, 4, 0],
    ["none where no time has passed", { busy: 0, own: 0, total: 0 }, 4, 0],
  ])("are %s", (_, since, cpus, expected) => {
    const before: CpuTimes = { cpus, busy: 1000, total: 5000, own: 300 }
    const after = { cpus, busy: 1000 + since.busy, total: 5000 + since.total, own: 300 + since.own }
    expect(foreignCpus(before, after)).toBe(expected)
  })
})

test.each([
  [0, 4, 4, 4],
  [0.4, 4, 4, 4],
  [0.6, 4, 4, 3],
  [1, 4, 4, 3],
  [1.6, 4, 4, 2],
  [1, 2, 2, 1],
  [9, 2, 2, 1],
  // Eight threads on sixteen CPUs: nobody is in the way yet.
  [7, 16, 8, 8],
  [10, 16, 8, 6],
])("beside %p busy CPUs of %p, %p threads become %p", (foreign, cpus, threads, expected) => {
  expect(threadsBeside(foreign, cpus, threads)).toBe(expected)
})

test("only the CPUs of this process count", () => {
  const stat =
    "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 10 0 5 80 3 1 1 0 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\ncpu12 50 0 0 50 0 0 0 0 7 0\n"
  expect(sumCpuTimes(stat, parseCpuList("0,8-12"))).toEqual({ cpus: 2, busy: 17 + 50, total: 100 + 100 })
})

test("processes of low priority count as any other", () => {
  expect(sumCpuTimes("cpu0 10 60 5 25 0 0 0 0 0 0\n", parseCpuList("0"))).toMatchObject({
    busy: 75,
    total: 100,
  })
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
    return this.tells ? { cpus: 4, busy: this.#busy, own: this.#own, total: this.#total } : undefined
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
    const governor = new ThreadGovernor({ decode: 4, prefill: 3 }, () => machine.now, machine.read)
    const step = (ms: number): void => {
      machine.pass(ms)
      governor.prepare(machine.context)
    }
    const pause = (ms: number): void => {
      machine.pass(ms)
      governor.begin(machine.context)
    }
    pause(0)
    return { machine, step, pause }
  }

  test("stays as it is on a machine of one's own", () => {
    const { machine, step } = governed()
    for (let count = 0; count < 20; count++) step(300)
    expect(machine.settings).toEqual([])
  })

  test("gives way to another process, and returns when that is done", () => {
    const { machine, step } = governed()
    step(300)
    machine.foreign = 2
    for (let count = 0; count < 5; count++) step(300)
    expect(machine.settings).toEqual([[2, 2]])
    machine.foreign = 0
    for (let count = 0; count < 5; count++) step(300)
    expect(machine.settings).toEqual([
      [2, 2],
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
    const { machine, step, pause } = governed()
    step(300)
    machine.foreign = 2
    pause(400)
    machine.foreign = 0
    step(300)
    pause(60_000)
    step(300)
    expect(machine.settings).toEqual([])
  })

  test("is remembered over a short pause, and forgotten over a long one", () => {
    const { machine, step, pause } = governed()
    machine.foreign = 2
    step(300)
    pause(1000)
    expect(machine.settings).toEqual([[2, 2]])
    pause(10_000)
    expect(machine.settings).toEqual([
      [2, 2],
      [4, 3],
    ])
  })

  test("stays as it is where the system does not tell", () => {
    const { machine, step } = governed()
    machine.tells = false
    machine.foreign = 2
    for (let count = 0; count < 10; count++) step(300)
    expect(machine.settings).toEqual([])
  })
})
