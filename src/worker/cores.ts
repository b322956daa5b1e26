import { readFileSync } from "node:fs"
import { availableParallelism } from "node:os"

/**
 * Physical cores available to this process: fewer if it has a CPU affinity or its cgroup a quota. ggml gains
 * nothing from the second thread of a core, and slows to a crawl if threads outnumber cores.
 */
export function usableCores(): number {
  const quota = readText("/sys/fs/cgroup/cpu.max")
  return coresFrom(availableParallelism(), readText("/proc/cpuinfo"), quota)
}

/**
 * Threads to compute with: `wanted`, but no more than there are CPUs. ggml's threads wait for each other many times a
 * step: 512 of them on two CPUs answer nothing within half a minute, and a model's own description may ask for them.
 */
export function threadCount(wanted: number): number {
  return Math.min(wanted, availableParallelism())
}

/**
 * `cpuInfo`: text of Linux's /proc/cpuinfo; `quota`: text of cgroup v2's cpu.max (microseconds: quota,
 * period).
 */
export function coresFrom(available: number, cpuInfo: string | undefined, quota: string | undefined): number {
  const [logical, physical] = countCores(cpuInfo ?? "")
  const threadsPerCore = physical > 0 ? logical / physical : 1
  const cores = Math.max(1, Math.floor(available / threadsPerCore))
  const [limit, period] = (quota ?? "max").split(/\s+/).map(Number)
  const allowed = limit && period ? Math.max(1, Math.floor(limit / period)) : cores
  return Math.min(cores, allowed)
}

function countCores(cpuInfo: string): [logical: number, physical: number] {
  const physical = new Set<string>()
  let logical = 0
  for (const block of cpuInfo.split("\n\n")) {
    if (!/^processor\s*:/m.test(block)) continue
    logical++
    const core = /^core id\s*:\s*(\d+)/m.exec(block)?.[1]
    const socket = /^physical id\s*:\s*(\d+)/m.exec(block)?.[1]
    if (core !== undefined) physical.add(`${socket}:${core}`)
  }
  return [logical, physical.size]
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}
