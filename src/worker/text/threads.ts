import { readFileSync } from "node:fs"
import type { Context } from "../../llama/context"

/** How often the machine's load is read, in ms. /proc counts in ticks of 10 ms, so shorter is noise. */
const SAMPLE_MS = 250

/** Other processes must keep more than this many cores busy before they get one of ours. */
const BUSY_CORE = 0.5

/** CPU time since boot, in clock ticks over all cores. */
export interface CpuTimes {
  readonly busy: number
  readonly total: number
  /** Of `busy`: what this process used. */
  readonly own: number
}

/** Cores that other processes kept busy between two readings. */
export function foreignCores(before: CpuTimes, after: CpuTimes, cores: number): number {
  const total = after.total - before.total
  if (total <= 0) return 0
  return (Math.max(0, after.busy - before.busy - (after.own - before.own)) / total) * cores
}

/**
 * ggml's threads meet at a barrier many times a step: with more threads than free cores all of them wait for the one
 * that is not running. So the decode gives way to whatever else keeps cores busy.
 */
export function threadsBeside(foreign: number, threads: number): number {
  return Math.max(1, threads - Math.floor(foreign + 1 - BUSY_CORE))
}

/** Sets the number of threads before each step, from the load of the machine. */
export class ThreadGovernor {
  readonly #decodeThreads: number
  readonly #prefillThreads: number
  readonly #cores: number
  readonly #now: () => number
  readonly #read: () => CpuTimes | undefined
  #last: CpuTimes | undefined
  #lastAt = Number.NEGATIVE_INFINITY
  /** ms since the last reading in which other workers of ours had all cores, by turns. */
  #waitedMs = 0
  #current: number

  /** `read` is undefined where the system does not tell; then the numbers stay as they are. */
  constructor(
    threads: { decode: number; prefill: number },
    cores: number,
    now: () => number,
    read = readCpuTimes,
  ) {
    this.#decodeThreads = threads.decode
    this.#prefillThreads = threads.prefill
    this.#cores = cores
    this.#now = now
    this.#read = read
    this.#current = threads.decode
  }

  /**
   * To be called before each step; reads the load a few times a second. `waitedMs`: how long other workers had the
   * cores before this step. They make room for this one, so their load is no reason for fewer threads.
   */
  prepare(context: Pick<Context, "setThreads">, waitedMs = 0): void {
    this.#waitedMs += waitedMs
    const now = this.#now()
    const elapsed = now - this.#lastAt
    if (elapsed < SAMPLE_MS) return
    this.#lastAt = now
    const times = this.#read()
    // A reading from long ago says nothing about now.
    if (times !== undefined && this.#last !== undefined && elapsed < 10 * SAMPLE_MS)
      this.#adapt(
        context,
        foreignCores(this.#last, times, this.#cores) - (this.#waitedMs / elapsed) * this.#cores,
      )
    this.#last = times
    this.#waitedMs = 0
  }

  #adapt(context: Pick<Context, "setThreads">, foreign: number): void {
    const decode = threadsBeside(foreign, this.#decodeThreads)
    if (decode === this.#current) return
    this.#current = decode
    context.setThreads(decode, threadsBeside(foreign, this.#prefillThreads))
  }
}

/** Linux only. Fields as in proc(5): /proc/stat counts user, nice, system, idle, iowait, irq, softirq, steal. */
function readCpuTimes(): CpuTimes | undefined {
  try {
    const [, ...all] = firstLine(readFileSync("/proc/stat", "latin1")).split(/\s+/).map(Number)
    const total = all.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0)
    const idle = (all[3] ?? 0) + (all[4] ?? 0)
    const stat = readFileSync("/proc/self/stat", "latin1")
    // The command name may hold spaces; fields are counted from behind its closing parenthesis.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return { busy: total - idle, total, own: Number(fields[11]) + Number(fields[12]) }
  } catch {
    return undefined
  }
}

function firstLine(text: string): string {
  return text.slice(0, text.indexOf("\n"))
}
