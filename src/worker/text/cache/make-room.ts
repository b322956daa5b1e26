import type { Runtime } from "../runtime"
import { holderOf, type KvCache } from "./kv-cache"
import { cellsOf, leastRecentlyUsedPrefix, type Slot } from "./slots"

/** Has the pool so many cells free, apart from those of `slot`, which will be emptied? */
export function hasRoom(cache: KvCache, slot: Slot, cells: number): boolean {
  if (cells > cache.cellsPerSequence) return false
  const others = cache.slots.filter((other) => other !== slot)
  return cache.layout === "split" || cellsOf(others.map(holderOf)) + cells <= cache.cells
}

/** Drops the idle prefixes of other slots, the oldest first, until there is room; returns whether there is. */
export function makeRoom(
  { cache, keeper }: Pick<Runtime, "cache" | "keeper">,
  slot: Slot,
  cells: number,
): boolean {
  while (!hasRoom(cache, slot, cells)) {
    const idle = leastRecentlyUsedPrefix(cache.slots.filter((other) => other !== slot))
    if (idle === undefined || cells > cache.cellsPerSequence) return false
    keeper?.leaves(idle)
    cache.clear(idle)
  }
  return true
}
