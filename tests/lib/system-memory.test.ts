import { expect, test } from "bun:test"
import { systemMemory } from "../../src/lib/system-memory"

const MEMINFO = "MemTotal:        8000 kB\nMemFree:         1000 kB\nMemAvailable:    6000 kB\n"
const KIB = 1024

const CASES = [
  { name: "no container", files: {}, total: 8000 * KIB, available: 6000 * KIB },
  {
    name: "a container without a limit",
    files: { "memory.max": "max\n", "memory.current": "5000\n" },
    total: 8000 * KIB,
    available: 6000 * KIB,
  },
  {
    name: "a container with a limit, whose unused cache counts as free",
    files: {
      "memory.max": "100000\n",
      "memory.current": "60000\n",
      "memory.stat": "anon 3\ninactive_file 20000\n",
    },
    total: 100_000,
    available: 60_000,
  },
  {
    name: "a container that may have more than the machine has left",
    files: { "memory.max": `${9000 * KIB}\n`, "memory.current": "0\n", "memory.stat": "" },
    total: 8000 * KIB,
    available: 6000 * KIB,
  },
  {
    name: "a container of the first version",
    files: {
      "memory/memory.limit_in_bytes": "50000\n",
      "memory/memory.usage_in_bytes": "70000\n",
      "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 30000\n",
    },
    total: 50_000,
    available: 10_000,
  },
  {
    name: "a container of the first version without a limit",
    files: { "memory/memory.limit_in_bytes": "9223372036854771712\n", "memory/memory.usage_in_bytes": "7\n" },
    total: 8000 * KIB,
    available: 6000 * KIB,
  },
] as const

for (const { name, files, total, available } of CASES) {
  test(`memory in ${name}`, () => {
    const texts = new Map<string, string>(
      Object.entries(files).map(([file, text]) => [`/sys/fs/cgroup/${file}`, text]),
    )
    texts.set("/proc/meminfo", MEMINFO)
    expect(systemMemory((path) => texts.get(path))).toEqual({ totalBytes: total, availableBytes: available })
  })
}

test("this machine has memory, and not more of it free than there is", () => {
  const { totalBytes, availableBytes } = systemMemory()
  expect(availableBytes).toBeGreaterThan(0)
  expect(totalBytes).toBeGreaterThan(availableBytes)
})

test("a system that does not say what is available is taken for empty", () => {
  const { totalBytes, availableBytes } = systemMemory(() => undefined)
  expect(totalBytes).toBeGreaterThan(0)
  expect(availableBytes).toBe(totalBytes)
})
