import type { Context } from "../../../llama/context"
import type { KvCache } from "./kv-cache"
import { commonPrefix } from "../prompt/cells"
import type { Slot } from "./slots"

/** Sharing a shorter prefix saves less than it costs. */
const LEAST_SHARED = 16

/** Where the states of slots come from: a context, or copies of what it had. */
export interface StateSource {
  /** All sequences at once, if the other context can take them so. */
  readonly whole: (() => Uint8Array) | undefined
  state(slot: Slot): Uint8Array
}

/** The states in a context, read when they are moved. */
export function liveStates(context: Context, cache: KvCache, to: MoveTarget): StateSource {
  const isWhole = movesWhole(cache, to)
  return {
    whole: isWhole ? () => context.saveAll() : undefined,
    state: ({ id }) => context.save(id),
  }
}

/** Copies of the states, which outlive the context. */
export function copiedStates(context: Context, cache: KvCache, to: MoveTarget): StateSource {
  if (movesWhole(cache, to)) {
    const whole = context.saveAll()
    return { whole: () => whole, state: () => whole }
  }
  const states = new Map(filled(cache.slots).map((slot) => [slot, context.save(slot.id)]))
  return { whole: undefined, state: (slot) => states.get(slot) ?? new Uint8Array() }
}

type MoveTarget = Pick<Context, "layout" | "sequences" | "cells">

/** Several sequences at once keep the cells that they share. */
export function movesWhole(cache: KvCache, to: MoveTarget): boolean {
  if (cache.layout !== to.layout || cache.cells > to.cells || cache.usable.length < cache.slots.length)
    return false
  const { length } = cache.slots
  return cache.layout === "unified" ? length <= to.sequences : length === to.sequences
}

/**
 * Moves the cached tokens of a cache's slots to its context, which is new. A slot whose state does not fit is empty
 * then; what runs in it is recomputed. Returns the number of bytes that were moved.
 */
export function moveStates(source: StateSource, cache: KvCache, to: Context): number {
  const slots = filled(cache.slots)
  if (source.whole !== undefined && slots.length > 0) {
    const state = source.whole()
    if (!to.restoreAll(state)) for (const slot of slots) cache.clear(slot)
    return state.length
  }
  // Running sequences first: what does not fit is better an idle prefix.
  const order = slots.toSorted((a, b) => Number(b.busy) - Number(a.busy) || b.lastUsed - a.lastUsed)
  let bytes = 0
  for (const [index, slot] of order.entries())
    bytes += moveSlot(source, cache, to, slot, order.slice(0, index))
  return bytes
}

function moveSlot(
  source: StateSource,
  cache: KvCache,
  to: Context,
  slot: Slot,
  moved: readonly Slot[],
): number {
  slot.shared = undefined
  const shared = cache.traits.shares && cache.traits.window === 0 ? longestShared(slot, moved) : undefined
  let bytes = 0
  if (shared === undefined || shared.tokens < slot.length) {
    const state = source.state(slot)
    bytes = state.length
    if (!to.restore(slot.id, state)) {
      slot.length = 0
      return bytes
    }
  }
  if (shared === undefined) return bytes
  to.removeFirst(slot.id, shared.tokens)
  to.shareCells(shared.slot.id, slot.id, shared.tokens)
  slot.shared = { tokens: shared.tokens, owner: shared.slot.tokens }
  return bytes
}

function longestShared(slot: Slot, moved: readonly Slot[]): { slot: Slot; tokens: number } | undefined {
  let best: { slot: Slot; tokens: number } | undefined
  for (const other of moved) {
    if (other.length === 0 || other.cacheKey !== slot.cacheKey) continue
    const common = commonPrefix(other.tokens, other.length, slot.tokens, slot.length)
    const tokens = lengthOfText(slot.tokens, common)
    if (tokens >= LEAST_SHARED && tokens > (best?.tokens ?? 0)) best = { slot: other, tokens }
  }
  return best
}

/** Up to the first media, after which cells and positions differ. */
function lengthOfText(tokens: ArrayLike<number>, length: number): number {
  let text = 0
  while (text < length && (tokens[text] ?? -1) >= 0) text++
  return text
}

function filled(slots: readonly Slot[]): readonly Slot[] {
  return slots.filter(({ length }) => length > 0)
}
