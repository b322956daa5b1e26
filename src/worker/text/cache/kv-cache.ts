import type { KvLayout } from "../../../domain/settings"
import { cellsPerSequence } from "../../../formats/kv-layout"
import { systemMemory } from "../../../lib/system/system-memory"
import type { Context } from "../../../llama/context"
import type { Model } from "../../../llama/model"
import { positionOf } from "../prompt/cells"
import type { PoolShape } from "./growth"
import {
  type CacheablePrompt,
  type CellHolder,
  canTrim,
  cellsOf,
  type SlotCheckpoint,
  cutsBack,
  type MemoryTraits,
  reusable,
  type SavedPrefix,
  type SharedCells,
  type Slot,
  type SlotPlacement,
} from "./slots"

/** Share of free memory that saved states may use; a state that is not copied is recomputed. */
const SAVED_SHARE = 1 / 4

/** Where a prefix ends: its number of cells, and the position after them. */
interface PrefixEnd {
  readonly cell: number
  readonly position: number
}

/** What a cache takes over from that of the context before. */
interface CacheBefore {
  readonly slots: readonly Slot[]
  readonly step: number
  readonly isDoubtful: boolean
}

/** Of all slots together. One takes 75 MB in a hybrid model of 80 billion parameters, and less in most others. */
const MOST_CHECKPOINT_BYTES = 512 * 1024 ** 2

/** Of one slot: some of them for each turn of a conversation. */
const MOST_CHECKPOINTS = 16

/** The slots of one context. Keeps them in step with llama.cpp's memory. */
export class KvCache {
  readonly slots: readonly Slot[]
  readonly traits: MemoryTraits
  readonly layout: KvLayout
  readonly cells: number
  /** What one sequence may have of them. */
  readonly cellsPerSequence: number
  readonly #context: Context
  readonly #model: Pick<Model, "recurrent" | "slidingWindow">
  /** Saved states of slots, valid until the next decode: several prompts may copy from one. */
  readonly #saved = new Map<Slot, Uint8Array>()
  /** Slots with NaN in their cells, which would affect the next sequence there. */
  readonly #tainted = new Set<Slot>()
  #isDoubtful: boolean

  readonly #mostSavedBytes: () => number
  /** Counts the decode steps. */
  #step: number

  /** `mostSavedBytes`: the current memory limit for saved states; a cache may be larger than free memory. */
  constructor(
    context: Context,
    model: Pick<Model, "recurrent" | "slidingWindow">,
    mostSavedBytes = (): number => systemMemory().availableBytes * SAVED_SHARE,
    before?: CacheBefore,
  ) {
    this.#context = context
    this.#model = model
    this.#mostSavedBytes = mostSavedBytes
    this.layout = context.layout
    this.cells = context.cells
    this.cellsPerSequence = context.cellsPerSequence
    this.slots = slotsOf(context.sequences, before?.slots ?? [])
    this.#step = before?.step ?? 0
    this.#isDoubtful = before?.isDoubtful ?? false
    this.traits = {
      trims: !model.recurrent,
      shares: context.layout === "unified" && !model.recurrent,
      window: model.slidingWindow,
      firstPosition: (slot) => context.firstPosition(slot.id),
    }
  }

  /**
   * The cache of another context, with the same slots in the same order. Their states are yet to be moved there;
   * those with NaN are not.
   */
  movedTo(context: Context): KvCache {
    for (const slot of this.#tainted) slot.busy = false
    const before = { slots: this.slots, step: this.#step, isDoubtful: this.#isDoubtful }
    return new KvCache(context, this.#model, this.#mostSavedBytes, before)
  }

  /**
   * Drops the idle prefixes that a smaller pool has no room for, the least recently used first, after `leaves` was
   * called for each of them.
   */
  keepFitting(shape: PoolShape, leaves: (slot: Slot) => void): void {
    const kept: Slot[] = []
    for (const slot of this.slots.toSorted((a, b) => b.lastUsed - a.lastUsed)) {
      if (slot.length === 0) continue
      const fitsAlone = slot.id < shape.sequences && slot.length <= cellsPerSequence(shape)
      const fits = shape.layout === "split" || cellsOf([...kept, slot].map(holderOf)) <= shape.cells
      if (fitsAlone && fits) kept.push(slot)
      else {
        leaves(slot)
        this.clear(slot)
      }
    }
  }

  /** An upper bound of the cells in use. */
  get used(): number {
    return Math.min(this.cells, cellsOf(this.slots.map(holderOf)))
  }

  /** The number of the present step. */
  get step(): number {
    return this.#step
  }

  /** Call at the start of every step, for the order of last use. */
  nextStep(): void {
    this.#step++
  }

  /** Assigns the slot to a prompt; returns how many of its tokens are cached in it. */
  occupy({ slot, source, keep, saved }: SlotPlacement, { tokens, media, cacheKey }: CacheablePrompt): number {
    const end = { cell: keep, position: positionOf(media, keep) }
    const kept =
      saved !== undefined
        ? this.#load(slot, saved, end)
        : source === slot
          ? this.#trim(slot, end)
          : this.#copy(source, slot, end)
    if (kept > 0 && saved === undefined) source.uses++
    if (kept === 0 || source !== slot) slot.uses = 1
    if (saved !== undefined && kept > 0) slot.uses = 2
    // The saved state is outdated: later copies need the new contents.
    this.#saved.delete(slot)
    slot.tokens = tokens
    slot.cacheKey = cacheKey
    slot.length = kept
    slot.busy = true
    slot.checkpoints = slot.checkpoints?.filter(({ length }) => length <= kept)
    slot.shared = source === slot && kept > 0 ? cutShare(slot.shared, kept) : undefined
    return kept
  }

  /** How many tokens of a prompt the slots have. */
  cachedLength(prompt: CacheablePrompt): number {
    return Math.max(...this.slots.map((slot) => reusable(slot, prompt, this.traits)))
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

  /** Removes the newest cells of a slot, which were computed for guesses; `position`: of the first of them. */
  rollback(slot: Slot, length: number, position: number): void {
    if (slot.length <= length) return
    if (this.#context.truncate(slot.id, position)) slot.length = length
    // What runs there is computed again.
    else this.clear(slot)
  }

  /**
   * Keeps what of a slot's present state could not be cut back later, for a prompt that parts from it here. The oldest
   * checkpoints make way.
   */
  makeCheckpoint(slot: Slot, position: number): void {
    const own = slot.checkpoints ?? []
    if (cutsBack(this.traits) || own.some(({ length }) => length === slot.length)) return
    const bytes = this.#context.stateSize(slot.id, "rolling")
    const limit = Math.min(MOST_CHECKPOINT_BYTES, this.#mostSavedBytes())
    while (this.#checkpointBytes + bytes > limit) if (!this.#dropOldestCheckpoint()) return
    const state = this.#context.save(slot.id, "rolling")
    const checkpoint = { length: slot.length, position, state, madeAt: this.#step }
    slot.checkpoints = [...(slot.checkpoints ?? []).slice(1 - MOST_CHECKPOINTS), checkpoint]
  }

  /** Cuts an idle slot back to one of its checkpoints. */
  cutToCheckpoint(slot: Slot, length: number): boolean {
    const checkpoint = slot.checkpoints?.find((one) => one.length === length)
    if (checkpoint === undefined) return false
    slot.length = this.#trim(slot, { cell: length, position: checkpoint.position })
    return slot.length > 0
  }

  get #checkpointBytes(): number {
    const states = new Set(this.slots.flatMap((slot) => slot.checkpoints?.map(({ state }) => state) ?? []))
    return states.values().reduce((sum, state) => sum + state.length, 0)
  }

  #dropOldestCheckpoint(): boolean {
    const all = this.slots.flatMap(({ checkpoints }) => checkpoints ?? [])
    const oldest = all.reduce<SlotCheckpoint | undefined>(
      (a, b) => (a !== undefined && a.madeAt <= b.madeAt ? a : b),
      undefined,
    )
    for (const slot of this.slots) slot.checkpoints = slot.checkpoints?.filter((one) => one !== oldest)
    return oldest !== undefined
  }

  clear(slot: Slot): void {
    slot.checkpoints = undefined
    this.#context.clear(slot.id)
    this.#saved.delete(slot)
    slot.length = 0
    slot.shared = undefined
  }

  /**
   * Marks an idle slot whose cells contain NaN: it is not used again until all cells are wiped. llama.cpp keeps
   * its cells: it multiplies a freed recurrent state by 0 for the next sequence, and NaN stays NaN.
   */
  taint(slot: Slot): void {
    this.#saved.delete(slot)
    slot.checkpoints = undefined
    slot.length = 0
    slot.busy = true
    this.#tainted.add(slot)
  }

  get usable(): readonly Slot[] {
    return this.slots.filter((slot) => !this.#tainted.has(slot))
  }

  /** Some cells were computed whose numbers nothing was seen of: they may contain NaN. */
  doubt(): void {
    this.#isDoubtful = true
  }

  /** Can NaN in a sequence only come from its own tokens? */
  get confinesFaults(): boolean {
    return this.layout === "split" && !this.#isDoubtful
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
    for (const slot of this.slots) {
      slot.length = 0
      slot.shared = undefined
      slot.checkpoints = undefined
    }
    for (const slot of this.#tainted) slot.busy = false
    this.#tainted.clear()
    this.#isDoubtful = false
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
    if (state === undefined || !this.#context.restore(slot.id, state)) {
      slot.length = 0
      slot.checkpoints = undefined
    }
  }

  /** Keeps what is before `end`; returns how many cells, 0 if the memory cannot be truncated. */
  #trim(slot: Slot, { cell, position }: PrefixEnd): number {
    if (cell === slot.length && cell > 0) return cell
    if (cell > 0 && this.#rewind(slot, cell) && this.#context.truncate(slot.id, position)) {
      slot.checkpoints = slot.checkpoints?.filter(({ length }) => length <= cell)
      return cell
    }
    this.clear(slot)
    return 0
  }

  /** Prepares a slot to be cut back, from a checkpoint where its memory cannot be cut. */
  #rewind(slot: Slot, cell: number): boolean {
    if (cutsBack(this.traits)) return true
    const checkpoint = slot.checkpoints?.find(({ length }) => length === cell)
    if (checkpoint !== undefined) return this.#context.restore(slot.id, checkpoint.state, "rolling")
    return this.traits.trims
  }

  /** Loads a prefix that is in no slot. */
  #load(slot: Slot, { state, tokens }: SavedPrefix, end: PrefixEnd): number {
    this.clear(slot)
    if (!this.#context.restore(slot.id, state)) return 0
    slot.length = tokens.length
    if (end.cell === tokens.length || canTrim(slot, end.position, this.traits)) return this.#trim(slot, end)
    this.clear(slot)
    return 0
  }

  #copy(source: Slot, target: Slot, end: PrefixEnd): number {
    const { cell, position } = end
    this.#context.clear(target.id)
    target.checkpoints = source.checkpoints
    if (this.traits.shares) {
      this.#context.shareCells(source.id, target.id, position)
      return this.#rewind(target, cell) ? cell : 0
    }
    const state = this.#save(source)
    if (state === undefined || !this.#context.restore(target.id, state)) return 0
    target.length = source.length
    // A saved state contains only the newest token's window, which may be less than the source still has.
    const isAtCheckpoint = target.checkpoints?.some(({ length }) => length === cell) === true
    if (cell === source.length || isAtCheckpoint || canTrim(target, position, this.traits))
      return this.#trim(target, end)
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

/** One for each sequence: the one from before, or an empty one. */
function slotsOf(sequences: number, before: readonly Slot[]): readonly Slot[] {
  const kept = before.filter(({ id }) => id < sequences)
  const numbers = new Set(kept.map(({ number }) => number))
  let next = 0
  return Array.from({ length: sequences }, (_, id) => {
    const slot = kept.find((one) => one.id === id)
    if (slot !== undefined) return slot
    while (numbers.has(next)) next++
    return emptySlot(id, next++)
  })
}

function emptySlot(id: number, number: number): Slot {
  return {
    id,
    number,
    tokens: [],
    cacheKey: "",
    length: 0,
    busy: false,
    uses: 0,
    isPrivate: false,
    lastUsed: 0,
  }
}

function cutShare(shared: SharedCells | undefined, kept: number): SharedCells | undefined {
  return shared && { ...shared, tokens: Math.min(shared.tokens, kept) }
}

/** A slot in one pool. */
export function holderOf({ tokens, length, shared }: Slot): CellHolder {
  return { owner: tokens, length, shared }
}
