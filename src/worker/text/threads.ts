import { readFileSync } from "node:fs"
import type { Context } from "../../llama/context"

/**
 * Interval between readings of the system load, in ms. /proc counts in ticks of 10 ms, so shorter ones are
 * noise.
 */
const SAMPLE_MS = 250

/** CPU use by other processes below this (in CPUs) is ignored. */
const BUSY_CPU = 0.5

/** CPU time since boot, in clock ticks summed over the CPUs available to this process. */
export interface CpuTimes {
  /** Number of these CPUs; hardware threads count individually. */
  readonly cpus: number
  readonly busy: number
  readonly total: number
  /** Ticks used by this process, also included in `busy`. */
  readonly own: number
}

/** CPUs kept busy by other processes between two readings. */
export function foreignCpus(before: CpuTimes, after: CpuTimes): number {
  const total = after.total - before.total
  if (total <= 0) return 0
  return (Math.max(0, after.busy - before.busy - (after.own - before.own)) / total) * after.cpus
}

/**
 * ggml's threads meet at a barrier many times per step: with more threads than free CPUs, all of them wait
 * for the one that is not scheduled. So use at most as many as are free, even next to low-priority processes:
 * on two cores, beside two diffusion threads at niceness 10, two threads gave at most 3 tokens/s and one gave
 * 100 (140 when idle).
 */
export function threadsBeside(foreign: number, cpus: number, threads: number): number {
  return Math.max(1, Math.min(threads, Math.floor(cpus - foreign + BUSY_CPU)))
}

/** How long a load measurement remains valid after work stopped, in ms. */
const REMEMBERED_MS = 2500

/** Sets the number of threads before each step, from the system load while there is work. */
export class ThreadGovernor {
  readonly #threads: { readonly decode: number; readonly prefill: number }
  readonly #now: () => number
  readonly #read: () => CpuTimes | undefined
  #last: CpuTimes | undefined
  #lastAt = Number.NEGATIVE_INFINITY
  /** ms since the last reading in which other workers of this server held the CPU lease. */
  #waitedMs = 0
  #decode: number
  #prefill: number
  #encodes = false

  /** `read` is undefined on systems without load figures; thread counts then stay fixed. */
  constructor(threads: { decode: number; prefill: number }, now: () => number, read = readCpuTimes) {
    this.#threads = threads
    this.#now = now
    this.#read = read
    this.#decode = threads.decode
    this.#prefill = threads.prefill
  }

  /**
   * Call when work begins after a pause. Load during the pause is ignored: it disturbed no step, and may have
   * been a client preparing its request.
   */
  begin(context: Pick<Context, "setThreads">): void {
    const now = this.#now()
    if (now - this.#lastAt > REMEMBERED_MS) this.#set(context, this.#threads.decode, this.#threads.prefill)
    this.#lastAt = now
    this.#last = this.#read()
    this.#waitedMs = 0
  }

  /**
   * Call before each step; reads the load a few times per second. `waitedMs`: how long other workers had the
   * CPUs before this step. They yield the CPU lease to this one, so their load is no reason to use fewer
   * threads. `encodes`: does another thread of this process encode pictures, with all CPUs but one?
   */
  prepare(context: Pick<Context, "setThreads">, waitedMs = 0, encodes = false): void {
    this.#waitedMs += waitedMs
    const now = this.#now()
    const elapsed = now - this.#lastAt
    if (encodes !== this.#encodes) {
      this.#encodes = encodes
      const { decode, prefill } = this.#threads
      this.#set(context, encodes ? 1 : decode, encodes ? 1 : prefill)
    }
    if (elapsed < SAMPLE_MS || encodes) return
    this.#lastAt = now
    const times = this.#read()
    if (times !== undefined && this.#last !== undefined) {
      const { decode, prefill } = this.#threads
      const foreign = foreignCpus(this.#last, times) - (this.#waitedMs / elapsed) * decode
      this.#set(
        context,
        threadsBeside(foreign, times.cpus, decode),
        threadsBeside(foreign, times.cpus, prefill),
      )
    }
    this.#last = times
    this.#waitedMs = 0
  }

  /** Call with a context that replaces the one of the last step. */
  adopt(context: Pick<Context, "setThreads">): void {
    context.setThreads(this.#decode, this.#prefill)
  }

  #set(context: Pick<Context, "setThreads">, decode: number, prefill: number): void {
    if (decode === this.#decode && prefill === this.#prefill) return
    this.#decode = decode
    this.#prefill = prefill
    context.setThreads(decode, prefill)
  }
}

/** The CPUs of this process, from `Cpus_allowed_list` in proc(5), such as "0-3,8". */
let allowedCpus: ReadonlySet<number> | undefined

/** Linux only. /proc/stat counts user, nice, system, idle, iowait, irq, softirq and steal for each CPU, see proc(5). */
function readCpuTimes(): CpuTimes | undefined {
  try {
    allowedCpus ??= parseCpuList(
      /^Cpus_allowed_list:\s*(\S+)/m.exec(readText("/proc/self/status"))?.[1] ?? "",
    )
    return { ...sumCpuTimes(readText("/proc/stat"), allowedCpus), own: ownTicks(readText("/proc/self/stat")) }
  } catch {
    return undefined
  }
}

export function parseCpuList(list: string): ReadonlySet<number> {
  const cpus = new Set<number>()
  for (const range of list.split(",")) {
    const [first, last] = range.split("-").map(Number)
    for (let cpu = first ?? 0; cpu <= (last ?? first ?? -1); cpu++) cpus.add(cpu)
  }
  return cpus
}

/** Sums the lines of `cpus` in a text like /proc/stat. */
export function sumCpuTimes(stat: string, cpus: ReadonlySet<number>): Omit<CpuTimes, "own"> {
  let counted = 0
  let busy = 0
  let total = 0
  for (const [, cpu, fields] of stat.matchAll(/^cpu(\d+) (.*)$/gm)) {
    if (!cpus.has(Number(cpu))) continue
    const ticks = (fields ?? "").split(" ").slice(0, 8).map(Number)
    const sum = ticks.reduce((a, b) => a + b, 0)
    counted++
    total += sum
    busy += sum - (ticks[3] ?? 0) - (ticks[4] ?? 0)
  }
  return { cpus: counted, busy, total }
}

/**
 * User and system time from a text like /proc/self/stat. The command name in it may contain spaces and
 * parentheses.
 */
function ownTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return Number(fields[11]) + Number(fields[12])
}

function readText(path: string): string {
  return readFileSync(path, "latin1")
}
