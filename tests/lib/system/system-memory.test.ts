import { expect, test } from "bun:test"
import { systemMemory } from "../../../src/lib/system/system-memory"

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
    name: "a container whose cache was used lately, which is given up as well",
    files: {
      "memory.max": "100000\n",
      "memory.current": "90000\n",
      "memory.stat": "anon 20000\nfile 70000\nactive_file 45000\ninactive_file 25000\nunevictable 0\n",
    },
    total: 100_000,
    available: 80_000,
  },
  {
    name: "a container of the first version whose cache was used lately",
    files: {
      "memory/memory.limit_in_bytes": "50000\n",
      "memory/memory.usage_in_bytes": "48000\n",
      "memory/memory.stat": "active_file 1\ntotal_inactive_file 10000\ntotal_active_file 30000\n",
    },
    total: 50_000,
    available: 42_000,
  },
  {
    name: "a container that is slowed down before its limit",
    files: { "memory.max": "100000\n", "memory.high": "70000\n", "memory.current": "20000\n" },
    total: 70_000,
    available: 50_000,
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
    expect(systemMemory(0, (path) => texts.get(path))).toEqual({
      totalBytes: total,
      availableBytes: available,
    })
  })
}

/** The files of a machine, by path; groups have a limit, what is used, and active and inactive cache. */
function machineOf(files: Readonly<Record<string, string>>): (path: string) => string | undefined {
  const all = { "/proc/meminfo": MEMINFO, ...files }
  return (path) => (Object.hasOwn(all, path) ? all[path as keyof typeof all] : undefined)
}

test("of limits inside each other the tightest counts, by what is used below it", () => {
  const slice = "/sys/fs/cgroup/user.slice"
  const files = {
    "/proc/self/cgroup": "0::/user.slice/app.service\n",
    "/proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
    [`${slice}/app.service/memory.max`]: "max\n",
    [`${slice}/app.service/memory.current`]: "10000\n",
    [`${slice}/memory.max`]: "90000\n",
    [`${slice}/memory.current`]: "50000\n",
    [`${slice}/memory.stat`]: "active_file 5000\ninactive_file 1000\n",
  }
  expect(systemMemory(0, machineOf(files))).toEqual({ totalBytes: 90_000, availableBytes: 46_000 })
  const inside = { ...files, [`${slice}/app.service/memory.max`]: "30000\n" }
  expect(systemMemory(0, machineOf(inside))).toEqual({ totalBytes: 30_000, availableBytes: 20_000 })
})

test("a container of the first version sees its own part of the groups, wherever they are mounted", () => {
  const files = {
    "/proc/self/cgroup": "5:cpu,cpuacct:/docker/0f\n4:memory:/docker/0f/inner\n0::/\n",
    "/proc/self/mountinfo": [
      "29 23 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
      "32 23 0:29 /docker/0f /mnt/my\\040groups rw,relatime - cgroup cgroup rw,memory",
    ].join("\n"),
    "/mnt/my groups/inner/memory.limit_in_bytes": "40000\n",
    "/mnt/my groups/inner/memory.usage_in_bytes": "30000\n",
    "/mnt/my groups/inner/memory.stat": "total_active_file 20000\n",
    "/mnt/my groups/memory.limit_in_bytes": "60000\n",
    "/mnt/my groups/memory.usage_in_bytes": "55000\n",
    "/mnt/my groups/memory.stat": "total_active_file 20000\n",
  }
  expect(systemMemory(0, machineOf(files))).toEqual({ totalBytes: 40_000, availableBytes: 25_000 })
})

test("a group outside of what is mounted counts by the nearest that is seen", () => {
  const files = {
    "/proc/self/cgroup": "0::/../../other\n",
    "/proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "/sys/fs/cgroup/memory.max": "80000\n",
    "/sys/fs/cgroup/memory.current": "30000\n",
  }
  expect(systemMemory(0, machineOf(files))).toEqual({ totalBytes: 80_000, availableBytes: 50_000 })
})

test("weights that are mapped and needed are not free, though they are cache", () => {
  const files = {
    "/sys/fs/cgroup/memory.max": "100000\n",
    "/sys/fs/cgroup/memory.current": "90000\n",
    "/sys/fs/cgroup/memory.stat": "active_file 60000\ninactive_file 10000\n",
  }
  expect(systemMemory(50_000, machineOf(files)).availableBytes).toBe(30_000)
  expect(systemMemory(1000 * KIB, machineOf({})).availableBytes).toBe(5000 * KIB)
  expect(systemMemory(9000 * KIB, machineOf({})).availableBytes).toBe(0)
})

test("this machine has memory, and not more of it free than there is", () => {
  const { totalBytes, availableBytes } = systemMemory()
  expect(availableBytes).toBeGreaterThan(0)
  expect(totalBytes).toBeGreaterThan(availableBytes)
})

test("a system that does not say what is available is taken for empty", () => {
  const { totalBytes, availableBytes } = systemMemory(0, () => undefined)
  expect(totalBytes).toBeGreaterThan(0)
  expect(availableBytes).toBe(totalBytes)
})
