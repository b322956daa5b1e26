import { availableParallelism } from "node:os"
import { describe, expect, test } from "bun:test"
import { coresFrom, threadCount } from "../../src/worker/cores"

/** /proc/cpuinfo with these (socket, core) pairs, one for every logical processor. */
function cpuInfo(processors: readonly (readonly [socket: number, core: number])[]): string {
  const blocks = processors.map(
    ([socket, core], index) =>
      `processor\t: ${index}\nmodel name\t: Some CPU\nphysical id\t: ${socket}\ncore id\t\t: ${core}\n`,
  )
  return `${blocks.join("\n")}\n`
}

const FOUR_CORES_EIGHT_THREADS = cpuInfo([0, 1, 2, 3, 0, 1, 2, 3].map((core) => [0, core]))

describe("usable cores", () => {
  test.each([
    [
      "one per core without hyper-threading",
      2,
      cpuInfo([
        [0, 0],
        [0, 1],
      ]),
      "max 100000",
      2,
    ],
    ["one for the two threads of a core", 8, FOUR_CORES_EIGHT_THREADS, "max 100000", 4],
    ["fewer where the process is bound to some processors", 4, FOUR_CORES_EIGHT_THREADS, "max 100000", 2],
    ["at least one, for half a core too", 1, FOUR_CORES_EIGHT_THREADS, "max 100000", 1],
    [
      "those of every socket, though their ids are the same",
      2,
      cpuInfo([
        [0, 0],
        [1, 0],
      ]),
      undefined,
      2,
    ],
    ["no more than the quota of the cgroup", 8, FOUR_CORES_EIGHT_THREADS, "250000 100000\n", 2],
    ["at least one under a quota of less than one", 8, FOUR_CORES_EIGHT_THREADS, "50000 100000", 1],
    ["no more than there are under a generous quota", 8, FOUR_CORES_EIGHT_THREADS, "1600000 100000", 4],
    ["all processors where the system tells nothing", 6, undefined, undefined, 6],
    ["all processors where cores have no ids (ARM)", 6, "processor\t: 0\nBogoMIPS\t: 50\n", undefined, 6],
  ])("%s", (_, available, info, quota, expected) => {
    expect(coresFrom(available, info, quota)).toBe(expected)
  })
})

test("threads are no more than there are CPUs", () => {
  expect(threadCount(1)).toBe(1)
  expect(threadCount(512)).toBe(availableParallelism())
})
