import { expect, test } from "bun:test"
import { busyBetween, describeHost, readCpu } from "../../src/measure/host"

/** A system with these processes: pid, name, parent, ticks. */
function reading(at: number, processes: readonly (readonly [number, string, number, number])[]) {
  const files = new Map(
    processes.map(([pid, name, parent, ticks]) => [
      `/proc/${pid}/stat`,
      `${pid} (${name}) S ${parent} ${"0 ".repeat(9)}${ticks} 0 0 0`,
    ]),
  )
  files.set("/proc/stat", "cpu  10 0 10 100 0 0 0 0\ncpu0 1 2 3\ncpu1 1 2 3\n")
  const result = readCpu(
    (path) => files.get(path) ?? "",
    () => ["self", ...processes.map(([pid]) => String(pid))],
    at,
  )
  if (result === undefined) throw new Error("nothing was read")
  return result
}

test("busy processes are those that this one did not start, the busiest first", () => {
  const before = reading(0, [
    [1, "init", 0, 50],
    [10, "xllm", 1, 100],
    [11, "worker", 10, 100],
    [20, "a (b) c", 1, 100],
  ])
  const after = reading(2000, [
    [1, "init", 0, 51],
    [10, "xllm", 1, 200],
    [11, "worker", 10, 300],
    [20, "a (b) c", 1, 200],
    [30, "new", 1, 160],
  ])
  expect(busyBetween(before, after, 10)).toEqual([
    { pid: 30, name: "new", cpus: 0.8 },
    { pid: 20, name: "a (b) c", cpus: 0.5 },
  ])
})

test("a system without /proc has no readings", () => {
  expect(readCpu(() => "")).toBeUndefined()
})

test("the machine is described with what numbers depend on", () => {
  const { cores, ram, load } = describeHost()
  expect(cores).toBeGreaterThan(0)
  expect(ram).toBeGreaterThan(1e8)
  expect(load).toBeGreaterThanOrEqual(0)
})
