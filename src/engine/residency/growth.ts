import type { MemoryFootprint } from "../../domain/device"
import type { MemoryLimits } from "../contract"
import { availableMemory, hasMemoryFor, type MemoryReading } from "./available-memory"
import { fewest, inOrder, isEvictable, type Resident } from "./eviction"

export interface GrowthInput {
  /** The amounts asked for, the preferred one first. */
  readonly amounts: readonly MemoryFootprint[]
  /** The resident that asks: it is not unloaded for itself. */
  readonly owner?: string
  readonly residents: readonly Resident[]
  readonly reading: MemoryReading
  readonly limits: MemoryLimits
}

export type GrowthVerdict =
  /** This one of the amounts may be taken now. */
  | { readonly type: "grant"; readonly amount: number }
  /** One of them will fit once these and the stopping residents are gone; then decide again. */
  | { readonly type: "evict"; readonly evict: readonly string[] }
  | { readonly type: "refuse" }

/**
 * Makes room for memory beside the footprints of the loaded models. Like a load, it unloads idle workers, lowest
 * priority first, then least recently used, never a busy or pinned one; unlike a load it does not wait for busy ones.
 */
export function decideGrowth({ amounts, owner, residents, reading, limits }: GrowthInput): GrowthVerdict {
  const ending = residents.filter((each) => each.ending)
  const idle = inOrder(residents.filter((each) => isEvictable(each) && !each.active && each.id !== owner))
  for (const [index, amount] of amounts.entries()) {
    const fitsWithout = (gone: readonly Resident[]) => {
      const kept = residents.filter((each) => !gone.includes(each))
      return hasMemoryFor(amount, availableMemory(reading, limits, kept, gone))
    }
    if (fitsWithout([])) return { type: "grant", amount: index }
    if (!fitsWithout([...ending, ...idle])) continue
    const evict = fewest(idle, (gone) => fitsWithout([...ending, ...gone]))
    return { type: "evict", evict: evict.map(({ id }) => id) }
  }
  return { type: "refuse" }
}
