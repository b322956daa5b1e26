import { commonPrefix } from "../prompt/cells"
import type { Runtime } from "../runtime"
import type { Sequence } from "../sequence"
import type { KvCache } from "./kv-cache"
import { hasRoom, makeRoom } from "./make-room"
import {
  type CellHolder,
  cellsOf,
  choosePlacement,
  choosePlacementIn,
  reusable,
  type SlotPlacement,
} from "./slots"
import { inTurn } from "./turns"

/** A shared prefix shorter than this is recomputed rather than waited for. */
const LEAST_WAITED_FOR = 16

/** See `GenerationOptions.slot`. */
const ANY_SLOT = -1

type Leader = Sequence["leader"]

/**
 * Assigns slots to waiting sequences, in turn. A sequence that shares a prefix with one being computed waits
 * for it and copies its cache, so that a common prefix is computed once.
 */
export class SlotAllocator {
  readonly #runtime: Pick<Runtime, "cache" | "keeper">
  readonly #mostSlots: number

  /** `mostSlots`: how many the cache may have. */
  constructor(runtime: Pick<Runtime, "cache" | "keeper">, mostSlots: number) {
    this.#runtime = runtime
    this.#mostSlots = mostSlots
  }

  get #cache(): KvCache {
    return this.#runtime.cache
  }

  /**
   * Assigns slots and returns the sequences of `waiting` that got one. `running`: the sequences that have a
   * slot. `isGrowing`: there will be more room soon.
   */
  admit(waiting: readonly Sequence[], running: readonly Sequence[], isGrowing = false): Sequence[] {
    const admitted: Sequence[] = []
    const withSlots = [...running]
    let last: Sequence | undefined
    if (this.#cache.slots.every((slot) => slot.busy)) return admitted
    for (const sequence of inTurn(waiting, running)) {
      // Comparing prompts is slow; skip it while no slot is free.
      if (this.#cache.slots.every((slot) => slot.busy)) break
      // Waits for a larger pool, and keeps none from the present one that fits.
      if (!this.fitsAlone(sequence)) continue
      // Choices of one request wait for the same leader, so the search is done once.
      if (last?.request === sequence.request && isWaiting(last.leader)) sequence.leader ??= last.leader
      last = sequence
      if (this.#waitsForLeader(sequence, withSlots)) continue
      const placement = this.#placementOf(sequence)
      if (isGrowing && this.#lacksRoom(placement)) continue
      if (!this.#place(sequence, placement, withSlots)) break
      admitted.push(sequence)
      withSlots.push(sequence)
    }
    return admitted
  }

  /** Is a sequence no longer than what one may have of the present pool? */
  fitsAlone({ length }: Sequence): boolean {
    return length <= this.#cache.cellsPerSequence
  }

  #placementOf(sequence: Sequence): SlotPlacement | undefined {
    const { slots, traits } = this.#cache
    const { usesCache, slot: number = ANY_SLOT } = sequence.request.prepared
    return number === ANY_SLOT || sequence.choice > 0
      ? choosePlacement(sequence, slots, traits, usesCache, sequence.saved)
      : // As in llama-server, numbers beyond the last begin anew.
        choosePlacementIn(number % this.#mostSlots, sequence, slots, traits, usesCache, sequence.saved)
  }

  /** Would a saved prompt need cells that idle prefixes have? */
  #lacksRoom(placement: SlotPlacement | undefined): boolean {
    const saved = placement?.saved
    return (
      placement !== undefined &&
      saved !== undefined &&
      !hasRoom(this.#cache, placement.slot, saved.tokens.length)
    )
  }

  #place(sequence: Sequence, placement: SlotPlacement | undefined, running: readonly Sequence[]): boolean {
    if (placement === undefined) return false
    const { traits } = this.#cache
    const isShared = traits.shares && placement.source !== placement.slot
    const shared = { tokens: isShared ? placement.keep : 0, owner: placement.source.tokens }
    const holders = [...running.map(holderOf), { ...holderOf(sequence), shared }]
    if (!this.#hasSpace(holders)) return false
    this.#occupy(placement, sequence)
    sequence.slot = placement.slot
    if (isShared) sequence.slot.shared = shared
    sequence.waitedSteps = 0
    return true
  }

  #occupy(placement: SlotPlacement, sequence: Sequence): void {
    const { slot, source, keep, saved, number } = placement
    if (number !== undefined) slot.number = number
    const isContinued = source === slot && saved === undefined && keep * 2 >= slot.length
    if (!isContinued) this.#runtime.keeper?.leaves(slot)
    // Its state needs room for itself, where a prompt that is computed takes the place of idle prefixes on the way.
    if (saved !== undefined) makeRoom(this.#runtime, slot, saved.tokens.length)
    const kept = this.#cache.occupy(placement, sequence)
    slot.isPrivate = !sequence.request.prepared.usesCache
    if (saved !== undefined && kept > 0) sequence.useSaved(kept)
    // Large, and of no more use.
    sequence.saved = undefined
  }

  /** With a shared pool: is there room for all of `holders`? A single one is always admitted. */
  #hasSpace(holders: readonly CellHolder[]): boolean {
    return this.#cache.layout === "split" || holders.length <= 1 || cellsOf(holders) < this.#cache.cells
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

function holderOf({ tokens, slot }: Sequence): CellHolder {
  return { owner: tokens, length: tokens.length, shared: slot?.shared }
}

/** Is it still worth waiting for that sequence? */
function isWaiting(leader: Leader): boolean {
  return leader !== undefined && isComputing(leader.sequence, leader.length)
}

/** Is `sequence` about to compute its first `length` tokens? */
function isComputing(sequence: Sequence, length: number): boolean {
  return !sequence.finished && sequence.generated === 0 && (sequence.slot?.length ?? 0) < length
}
