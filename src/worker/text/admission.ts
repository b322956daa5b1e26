import type { KvCache } from "./kv-cache"
import type { Sequence } from "./sequence"
import { choosePlacement, commonPrefix, reusable } from "./slots"

/** A prefix shorter than this is computed again rather than waited for. */
const LEAST_WAITED_FOR = 16

/**
 * Gives slots to sequences that wait, in their order. A sequence whose prompt begins like one that is being computed
 * right now waits for that one and copies its cache, so that a common prefix is computed once.
 */
export class Admission {
  readonly #cache: KvCache

  constructor(cache: KvCache) {
    this.#cache = cache
  }

  /** Those of `waiting` that got a slot now. `running`: the sequences that have one. */
  admit(waiting: readonly Sequence[], running: readonly Sequence[]): Sequence[] {
    const admitted: Sequence[] = []
    const withSlots = [...running]
    for (const sequence of waiting) {
      if (this.#waitsForLeader(sequence, withSlots)) continue
      if (!this.#place(sequence, withSlots)) break
      admitted.push(sequence)
      withSlots.push(sequence)
    }
    return admitted
  }

  #place(sequence: Sequence, running: readonly Sequence[]): boolean {
    const { slots, traits } = this.#cache
    const placement = choosePlacement(sequence.tokens, slots, traits, sequence.request.usesCache)
    if (placement === undefined) return false
    const shared = traits.shares && placement.source !== placement.slot ? placement.keep : 0
    if (!this.#hasRoom(sequence.tokens.length - shared, running)) return false
    this.#cache.occupy(placement, sequence.tokens)
    sequence.slot = placement.slot
    sequence.sharedTokens = shared
    sequence.waitedSteps = 0
    return true
  }

  /** With one pool for all: is there room for `cells` beside the sequences that run? One alone is always let in. */
  #hasRoom(cells: number, running: readonly Sequence[]): boolean {
    if (this.#cache.layout === "split" || running.length === 0) return true
    const used = running.reduce((sum, other) => sum + other.tokens.length - other.sharedTokens, 0)
    return used + cells < this.#cache.cells
  }

  #waitsForLeader(sequence: Sequence, running: readonly Sequence[]): boolean {
    const { leader } = sequence
    if (leader !== undefined && isComputing(leader.sequence, leader.length)) return true
    sequence.leader = this.#findLeader(sequence, running)
    return sequence.leader !== undefined
  }

  #findLeader(sequence: Sequence, running: readonly Sequence[]): Sequence["leader"] {
    const { traits, slots } = this.#cache
    if (!sequence.request.usesCache || !traits.trims || traits.window > 0) return undefined
    const cached = Math.max(...slots.map((slot) => reusable(slot, sequence.tokens, traits)))
    let best: Sequence["leader"]
    for (const other of running) {
      const length = commonPrefix(
        other.tokens,
        other.tokens.length,
        sequence.tokens,
        sequence.tokens.length - 1,
      )
      const gained = length - Math.max(cached, best?.length ?? 0)
      if (gained >= LEAST_WAITED_FOR && isComputing(other, length)) best = { sequence: other, length }
    }
    return best
  }
}

/** Will `sequence` have computed its first `length` tokens soon? */
function isComputing(sequence: Sequence, length: number): boolean {
  return !sequence.finished && sequence.generated === 0 && (sequence.slot?.length ?? 0) < length
}
