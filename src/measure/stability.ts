import type { BusyProcess } from "./host"
import { drift } from "./statistics"

/** A change from the first to the last third of the samples that no longer counts as noise. */
const MOST_DRIFT = 0.05

/** Less than this, in CPUs, beyond those that are there, slows nothing down. */
const MOST_EXCESS_CPUS = 0.25

const MOST_NAMED = 3

export interface Circumstances {
  readonly samples: readonly number[]
  readonly busy: readonly BusyProcess[]
  /** That the measured work used. */
  readonly threads: number
  readonly cores: number
}

/** Why the samples are not to be trusted; empty: no reason is known. */
export function reasonsForDoubt({ samples, busy, threads, cores }: Circumstances): readonly string[] {
  const reasons: string[] = []
  const change = drift(samples)
  if (change !== undefined && Math.abs(change) > MOST_DRIFT) {
    const percent = Math.round(100 * Math.abs(change))
    reasons.push(`the last third of the samples is ${percent} % ${change > 0 ? "above" : "below"} the first`)
  }
  const cpus = busy.reduce((sum, process) => sum + process.cpus, 0)
  if (cpus + threads > cores + MOST_EXCESS_CPUS) reasons.push(contention(busy, cpus))
  return reasons
}

function contention(busy: readonly BusyProcess[], cpus: number): string {
  const named = busy
    .slice(0, MOST_NAMED)
    .map((process) => `${process.name} ${process.cpus.toFixed(1)}`)
    .join(", ")
  return `contended: other processes used ${cpus.toFixed(1)} CPUs (${named})`
}
