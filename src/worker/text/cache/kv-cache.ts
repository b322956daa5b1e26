import type { KvLayout } from "../../../domain/settings"
import { systemMemory } from "../../../lib/system/system-memory"
import type { Context } from "../../../llama/context"
import type { Model } from "../../../llama/model"
import { canTrim, type MemoryTraits, type Slot, type SlotPlacement } from "./slots"

/** Copies of states may take this share of the memory that is left; what is not copied is computed again. */
const SAVED_SHARE = 1 / 4

/** The slots of one context, and the operations that keep them and llama.cpp's memory in step. */
export class KvCache {
  readonly slots: readonly Slot[]
  readonly traits: MemoryTraits
  readonly layout: KvLayout
  readonly cells: number
  readonly #context: Context
  /** Saved states of slots, reused while nothing is decoded: many prompts may copy from one. */
  readonly #saved = new Map<Slot, Uint8Array>()
  /** Slots whose cells hold what is no number, and reaches whoever comes next there. */
  readonly #tainted = new Set<Slot>()

  readonly #mostSavedBytes: () => number

  /** `mostSavedBytes`: what copies of states may take at the moment; a cache may be larger than what is left. */
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

  /** Cells that hold something; a prefix that slots share is counted for each of them, up to what there is. */
  get used(): number {
    return Math.min(
      this.cells,
      this.slots.reduce((sum, slot) => sum + slot.length, 0),
    )
  }

  /** Takes the slot for `tokens`; returns how many of them are cached in it now. */
  occupy({ slot, source, keep }: SlotPlacement, tokens: readonly number[]): number {
    const kept = source === slot ? this.#trim(slot, keep) : this.#copy(source, slot, keep)
    // What others copy from now on is what is there now.
    this.#saved.delete(slot)
    slot.tokens = tokens
    slot.length = kept
    slot.busy = true
    return kept
  }

  /** The sequence is over; what is cached stays for others. */
  release(slot: Slot, step: number): void {
    slot.busy = false
    slot.lastUsed = step
  }

  clear(slot: Slot): void {
    this.#context.clear(slot.id)
    this.#saved.delete(slot)
    slot.length = 0
  }

  /** Some of the slot's cells hold what is no number: nobody gets it before all are wiped. It must not be in use. */
  taint(slot: Slot): void {
    this.clear(slot)
    slot.busy = true
    this.#tainted.add(slot)
  }

  get usable(): readonly Slot[] {
    return this.slots.filter((slot) => !this.#tainted.has(slot))
  }

  /** Is it time to {@link wipe}? That costs those who run their cells: not before half of the slots are lost. */
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

  /** To be called before every decode: saved states are out of date after it. */
  forgetSaved(): void {
    this.#saved.clear()
  }

  /** Two slots change places in llama.cpp's order of sequences, where there is memory for what is in them. */
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
    // A sequence whose state was lost is computed again from its tokens.
    if (state === undefined || !this.#context.restore(slot.id, state)) slot.length = 0
  }

  /** Keeps the first `keep` tokens; 0 where this memory cannot. */
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
    // A saved state has only what the newest token's window shows, which may be less than the source still has.
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
