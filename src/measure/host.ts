import { readdirSync, readFileSync } from "node:fs"
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os"

/** The machine that the numbers were measured on, without which they mean nothing. */
export interface Host {
  readonly cpu: string
  readonly cores: number
  readonly ram: number
  readonly os: string
  /** For the minute before the run: well above 0 means that other programs were computing too. */
  readonly load: number
  readonly gpus: readonly { readonly name: string; readonly memory: number }[]
}

export function describeHost(gpus: Host["gpus"] = []): Host {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    ram: totalmem(),
    os: `${distribution() ?? platform()} (${platform()} ${release()}, ${arch()})`,
    load: Math.round(100 * (loadavg()[0] ?? 0)) / 100,
    gpus,
  }
}

function distribution(): string | undefined {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readText("/etc/os-release"))?.[1]
}

/** Another process that used a CPU. */
export interface BusyProcess {
  readonly pid: number
  readonly name: string
  /** CPUs that it kept busy, on average. */
  readonly cpus: number
}

interface ProcessTicks {
  readonly name: string
  readonly parent: number
  readonly ticks: number
}

/** The CPU time of all processes that may be seen, at one moment. */
export interface CpuReading {
  readonly at: number
  readonly processes: ReadonlyMap<number, ProcessTicks>
  /** Ticks of all CPUs together that were not idle, and the number of CPUs. */
  readonly busyTicks: number
  readonly cpus: number
}

/** Clock ticks in a second, as proc(5) counts: USER_HZ, which is 100 on all systems of today. */
const TICKS = 100

/** Less than this, in CPUs, disturbs nobody. */
const DISTURBING_CPUS = 0.25

/** Undefined on systems without /proc. `read` and `list` are the file system's. */
export function readCpu(
  read = readText,
  list = () => readdirSync("/proc"),
  now = performance.now(),
): CpuReading | undefined {
  const stat = read("/proc/stat")
  if (stat === "") return undefined
  const processes = new Map<number, ProcessTicks>()
  for (const entry of list()) {
    if (!/^\d+$/.test(entry)) continue
    const process = parseProcess(read(`/proc/${entry}/stat`))
    if (process !== undefined) processes.set(Number(entry), process)
  }
  const fields = (/^cpu (.*)$/m.exec(stat)?.[1] ?? "").trim().split(/\s+/).slice(0, 8).map(Number)
  const busyTicks = fields.reduce((sum, ticks, index) => (index === 3 || index === 4 ? sum : sum + ticks), 0)
  return { at: now, processes, busyTicks, cpus: (stat.match(/^cpu\d+ /gm) ?? []).length }
}

/** Name, parent and used ticks from a text like /proc/PID/stat; the name may contain spaces and parentheses. */
function parseProcess(stat: string): ProcessTicks | undefined {
  const end = stat.lastIndexOf(")")
  if (end < 0) return undefined
  const fields = stat.slice(end + 2).split(" ")
  const ticks = Number(fields[11]) + Number(fields[12])
  return { name: stat.slice(stat.indexOf("(") + 1, end), parent: Number(fields[1]), ticks }
}

/** Processes other than `own` and its descendants that used a CPU between two readings, the busiest first. */
export function busyBetween(before: CpuReading, after: CpuReading, own: number): readonly BusyProcess[] {
  const seconds = (after.at - before.at) / 1000
  if (seconds <= 0) return []
  const busy: BusyProcess[] = []
  for (const [pid, { name, ticks }] of after.processes) {
    if (descendsFrom(pid, own, after.processes)) continue
    const cpus = (ticks - (before.processes.get(pid)?.ticks ?? 0)) / TICKS / seconds
    if (cpus >= DISTURBING_CPUS) busy.push({ pid, name, cpus: Math.round(100 * cpus) / 100 })
  }
  return busy.sort((a, b) => b.cpus - a.cpus)
}

function descendsFrom(pid: number, ancestor: number, processes: CpuReading["processes"]): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 0; at = processes.get(at)?.parent)
    if (at === ancestor) return true
  return false
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return ""
  }
}
