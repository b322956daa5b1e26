import type { KvLayout } from "../../../domain/settings"
import { systemMemory } from "../../../lib/system/system-memory"
import type { Context } from "../../../llama/context"
import type { Model } from "../../../llama/model"
import { type CacheablePrompt, canTrim, type MemoryTraits, type Slot, type SlotPlacement } from "./slots"

/** Share of free memory that saved states may use; a state that is not copied is recomputed. */
const SAVED_SHARE = 1 / 4

/** The slots of one context. Keeps them in step with llama.cpp's memory. */
export class KvCache {
  readonly slots: readonly Slot[]
  readonly traits: MemoryTraits
  readonly layout: KvLayout
  readonly cells: number
  readonly #context: Context
  /** Saved states of slots, valid until the next decode: several prompts may copy from one. */
  readonly #saved = new Map<Slot, Uint8Array>()
  /** Slots with NaN in their cells, which would affect the next sequence there. */
  readonly #tainted = new Set<Slot>()

  readonly #mostSavedBytes: () => number
  /** Counts the decode steps. */
  #step = 0

  /** `mostSavedBytes`: the current memory limit for saved states; a cache may be larger than free memory. */
  constructor(
    context: Context,
    model: Model,
    slots: number,
    layout: KvLayout,
    mostSavedBytes = (): number => systemMemory().availableBytes * SAVED_SHARE,
  ) {
    this.#context = context
    this.#mostSavedBytes = mostSavedBytes
    this.layout = layout
    this.cells = context.cells
    this.slots = Array.from({ length: slots }, (_, id) => ({
      id,
      tokens: [],
      cacheKey: "",
      length: 0,
      busy: false,
      lastUsed: 0,
    }))
    this.traits = {
      trims: !model.recurrent,
      shares: layout === "unified" && !model.recurrent,
      window: model.slidingWindow,
      firstPosition: (slot) => context.firstPosition(slot.id),
    }
  }

  /** Cells in use. A shared prefix counts once per slot; the sum is capped at the number of cells. */
  get used(): number {
    return Math.min(
      this.cells,
      this.slots.reduce((sum, slot) => sum + slot.length, 0),
    )
  }

  /** Call at the start of every step, for the order of last use. */
  nextStep(): void {
    this.#step++
  }

  /** Assigns the slot to a prompt; returns how many of its tokens are cached in it. */
  occupy({ slot, source, keep }: SlotPlacement, { tokens, cacheKey }: CacheablePrompt): number {
    const kept = source === slot ? this.#trim(slot, keep) : this.#copy(source, slot, keep)
    // The saved state is outdated: later copies need the new contents.
    this.#saved.delete(slot)
    slot.tokens = tokens
    slot.cacheKey = cacheKey
    slot.length = kept
    slot.busy = true
    return kept
  }

  /** Ends the use by a sequence; the cached tokens remain available. */
  release(slot: Slot): void {
    slot.busy = false
    slot.lastUsed = this.#step
  }

  /** Counts `tokens` that were computed in the slot. */
  advance(slot: Slot, tokens: number): void {
    slot.length += tokens
    slot.lastUsed = this.#step
  }

  clear(slot: Slot): void {
    this.#context.clear(slot.id)
    this.#saved.delete(slot)
    slot.length = 0
  }

  /** Marks an idle slot whose cells contain NaN: it is not used again until all cells are wiped. */
  taint(slot: Slot): void {
    this.clear(slot)
    slot.busy = true
    this.#tainted.add(slot)
  }

  get usable(): readonly Slot[] {
    return this.slots.filter((slot) => !this.#tainted.has(slot))
  }

  /**
   * Is it time to {@link wipe}? Wiping makes running sequences recompute, so not before half of the slots are
   * lost.
   */
  needsWiping(running: number): boolean {
    const tainted = this.#tainted.size
    return tainted > 0 && (running === 0 || 2 * tainted >= this.slots.length)
  }

  /** Overwrites all cells. */
  wipe(): void {
    this.#context.wipe()
    this.#saved.clear()
    for (const slot of this.slots) slot.length = 0
    for (const slot of this.#tainted) slot.busy = false
    this.#tainted.clear()
  }

  /** Call before every decode: it makes saved states outdated. */
  forgetSaved(): void {
    this.#saved.clear()
  }

  /** Swaps two slots in llama.cpp's order of sequences, if there is memory for copies of both. */
  exchange(a: Slot, b: Slot): void {
    if (!this.#canSave(a, b)) return
    const stateOfA = a.length > 0 ? this.#context.save(a.id) : undefined
    const stateOfB = b.length > 0 ? this.#context.save(b.id) : undefined
    ;[a.id, b.id] = [b.id, a.id]
    this.#put(a, stateOfA)
    this.#put(b, stateOfB)
  }

  #put(slot: Slot, state: Uint8Array | undefined): void {
    this.#context.clear(slot.id)
    // A sequence whose state could not be restored is recomputed from its tokens.
    if (state === undefined || !this.#context.restore(slot.id, state)) slot.length = 0
  }

  /** Keeps the first `keep` tokens; returns 0 if the memory cannot be truncated. */
  #trim(slot: Slot, keep: number): number {
    if (keep === slot.length && keep > 0) return keep
    if (keep > 0 && this.#context.truncate(slot.id, keep)) return keep
    this.clear(slot)
    return 0
  }

  #copy(source: Slot, target: Slot, keep: number): number {
    this.#context.clear(target.id)
    if (this.traits.shares) {
      this.#context.shareCells(source.id, target.id, keep)
      return keep
    }
    const state = this.#save(source)
    if (state === undefined || !this.#context.restore(target.id, state)) return 0
    target.length = source.length
    // A saved state contains only the newest token's window, which may be less than the source still has.
    if (keep === source.length || canTrim(target, keep, this.traits)) return this.#trim(target, keep)
    this.clear(target)
    return 0
  }

  #save(slot: Slot): Uint8Array | undefined {
    const known = this.#saved.get(slot)
    if (known !== undefined) return known
    if (!this.#canSave(slot)) return undefined
    const state = this.#context.save(slot.id)
    this.#saved.set(slot, state)
    return state
  }

  #canSave(...slots: readonly Slot[]): boolean {
    const filled = slots.filter(({ length }) => length > 0)
    const bytes = filled.reduce((sum, slot) => sum + this.#context.stateSize(slot.id), 0)
    const saved = this.#saved.values().reduce((sum, state) => sum + state.length, 0)
    return bytes + saved <= this.#mostSavedBytes()
  }
}
