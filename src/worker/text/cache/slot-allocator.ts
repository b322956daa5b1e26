import type { Runtime } from "../runtime"
import type { Sequence } from "../sequence"
import type { KvCache } from "./kv-cache"
import { choosePlacement, commonPrefix, reusable } from "./slots"

/** A shared prefix shorter than this is recomputed rather than waited for. */
const LEAST_WAITED_FOR = 16

/** The fields of a sequence that determine how many cells it needs. */
interface Holder {
  readonly tokens: readonly number[]
  readonly shared: Sequence["shared"]
}

type Leader = Sequence["leader"]

/**
 * Assigns slots to waiting sequences, in order. A sequence that shares a prefix with one being computed waits
 * for it and copies its cache, so that a common prefix is computed once.
 */
export class SlotAllocator {
  readonly #runtime: Pick<Runtime, "cache">

  constructor(runtime: Pick<Runtime, "cache">) {
    this.#runtime = runtime
  }

  get #cache(): KvCache {
    return this.#runtime.cache
  }

  /**
   * Assigns slots and returns the sequences of `waiting` that got one. `running`: the sequences that have a
   * slot.
   */
  admit(waiting: readonly Sequence[], running: readonly Sequence[]): Sequence[] {
    const admitted: Sequence[] = []
    const withSlots = [...running]
    let last: Sequence | undefined
    for (const sequence of waiting) {
      // Comparing prompts is slow; skip it while no slot is free.
      if (this.#cache.slots.every((slot) => slot.busy)) break
      // Choices of one request wait for the same leader, so the search is done once.
      if (last?.request === sequence.request && isWaiting(last.leader)) sequence.leader ??= last.leader
      last = sequence
      if (this.#waitsForLeader(sequence, withSlots)) continue
      if (!this.#place(sequence, withSlots)) break
      admitted.push(sequence)
      withSlots.push(sequence)
    }
    return admitted
  }

  #place(sequence: Sequence, running: readonly Sequence[]): boolean {
    const { slots, traits } = this.#cache
    const placement = choosePlacement(sequence, slots, traits, sequence.request.prepared.usesCache)
    if (placement === undefined) return false
    const shared = traits.shares && placement.source !== placement.slot ? placement.keep : 0
    const owner = placement.source.tokens
    if (!this.#hasSpace([...running, { tokens: sequence.tokens, shared: { tokens: shared, owner } }]))
      return false
    this.#cache.occupy(placement, sequence)
    sequence.slot = placement.slot
    sequence.shared = { tokens: shared, owner }
    sequence.waitedSteps = 0
    return true
  }

  /** With a shared pool: is there room for all of `sequences`? A single one is always admitted. */
  #hasSpace(sequences: readonly Holder[]): boolean {
    return this.#cache.layout === "split" || sequences.length <= 1 || cellsOf(sequences) < this.#cache.cells
  }

  #waitsForLeader(sequence: Sequence, running: readonly Sequence[]): boolean {
    if (isWaiting(sequence.leader)) return true
    sequence.leader = this.#findLeader(sequence, running)
    return sequence.leader !== undefined
  }

  #findLeader(sequence: Sequence, running: readonly Sequence[]): Leader {
    const { traits, slots } = this.#cache
    if (!sequence.request.prepared.usesCache || !traits.trims || traits.window > 0) return undefined
    const cached = Math.max(...slots.map((slot) => reusable(slot, sequence, traits)))
    let best: Leader
    for (const other of running) {
      if (other.cacheKey !== sequence.cacheKey) continue
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

/**
 * Upper bound of cells used in a shared pool. Shared cells count for the sequence that allocated them; after
 * it ends, they remain in use while any other sequence shares them, and count once.
 */
function cellsOf(sequences: readonly Holder[]): number {
  const owners = new Set(sequences.map(({ tokens }) => tokens))
  const left = new Map<readonly number[], number>()
  let cells = 0
  for (const { tokens, shared } of sequences) {
    cells += tokens.length - (shared?.tokens ?? 0)
    if (shared !== undefined && !owners.has(shared.owner))
      left.set(shared.owner, Math.max(shared.tokens, left.get(shared.owner) ?? 0))
  }
  for (const shared of left.values()) cells += shared
  return cells
}

/** Is it still worth waiting for that sequence? */
function isWaiting(leader: Leader): boolean {
  return leader !== undefined && isComputing(leader.sequence, leader.length)
}

/** Is `sequence` about to compute its first `length` tokens? */
function isComputing(sequence: Sequence, length: number): boolean {
  return !sequence.finished && sequence.generated === 0 && (sequence.slot?.length ?? 0) < length
}
