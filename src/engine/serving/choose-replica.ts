/**
 * How much busier than the least busy replica one may be, as a share of its slots, and still be preferred for its
 * cache.
 */
const MUCH_BUSIER = 0.5

export interface ReplicaUtilisation {
  /** Counted from 1. */
  readonly replica: number
  readonly running: number
  readonly slots: number
  /** How much of the request's prefix it already has, in any unit. */
  readonly match: number
}

/**
 * Picks the replica for a request among those with a free slot: the one with the longest cached prefix, unless it
 * is much busier than another; otherwise the least busy. Undefined where no slot is free.
 */
export function chooseReplica(replicas: readonly ReplicaUtilisation[]): number | undefined {
  const free = replicas.filter(({ running, slots }) => running < slots)
  const least = Math.min(...free.map(busyness))
  const candidates = free.filter((each) => busyness(each) <= least + MUCH_BUSIER)
  const best = candidates.toSorted(
    (a, b) => b.match - a.match || busyness(a) - busyness(b) || a.replica - b.replica,
  )
  return best[0]?.replica
}

function busyness({ running, slots }: ReplicaUtilisation): number {
  return running / slots
}
