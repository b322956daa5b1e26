import type { KvPlan } from "../../../domain/settings"
import { CELL_ROUNDING, cellsPerSequence } from "../../../formats/kv-layout"
import type { KvState } from "../../../protocol/messages"

/** The size and layout of a pool of cells. */
export type PoolShape = Pick<KvState, "layout" | "cells" | "sequences">

/** How far a pool may grow. */
export type GrowthLimits = Pick<KvPlan, "slots" | "contextLength" | "mostCells" | "layoutIsFixed">

/** What open requests and cached prefixes need. */
export interface PoolDemand {
  /** Sequences that run or could run. */
  readonly sequences: number
  /** Cells that the longest of them will soon have. */
  readonly longest: number
  /** Cells that the longest idle prefix has. */
  readonly longestIdle: number
  /** Cells that all of them and the idle prefixes will soon have in one pool, where shared ones count once. */
  readonly pooled: number
}

/** `frugal`: with only the cells that are needed, where there is no memory for twice as many. */
export type GrowthManner = "generous" | "frugal"

/**
 * Split is faster for unrelated prompts, because a sequence attends only to its own cells. It is worth up to this
 * many times the cells that are needed.
 */
const SPLIT_WORTH = 2

/**
 * The pool to move to, if what is needed does not fit into the present one: at least twice as large, so that moves
 * are rare, or of the other layout. Undefined if it fits, and if no larger one is allowed.
 */
export function planGrowth(
  now: PoolShape,
  demand: PoolDemand,
  limits: GrowthLimits,
  manner: GrowthManner = "generous",
): PoolShape | undefined {
  if (now.cells >= limits.mostCells || fits(now, demand, limits)) return undefined
  const sequences = demand.sequences > now.sequences ? limits.slots : now.sequences
  const pooled = pooledShape(now, demand, limits, sequences, manner)
  const split = splitShape(now, demand, limits, sequences, manner)
  const isSplit = limits.layoutIsFixed ? now.layout === "split" : isSplitWorth(split, demand, limits)
  const chosen = isSplit ? split : pooled
  return sameShape(chosen, now) ? undefined : chosen
}

/**
 * The split pool to return to from one pool that is larger than what is left needs: several conversations that fit
 * shares of their own, and no idle prefix that would be lost. Undefined if one pool is better, or as good.
 */
export function planReturn(now: PoolShape, demand: PoolDemand, limits: GrowthLimits): PoolShape | undefined {
  if (now.layout === "split" || limits.layoutIsFixed || demand.sequences < 2) return undefined
  const longest = Math.max(demand.longest, demand.longestIdle)
  const split = splitShape(now, { ...demand, longest }, limits, now.sequences, "generous")
  return longest <= cellsPerSequence(split) && isSplitWorth(split, demand, limits) ? split : undefined
}

export function sameShape(a: PoolShape, b: PoolShape): boolean {
  return a.layout === b.layout && a.cells === b.cells && a.sequences === b.sequences
}

function isSplitWorth(split: PoolShape, { pooled }: PoolDemand, { mostCells }: GrowthLimits): boolean {
  return split.cells <= Math.min(mostCells, SPLIT_WORTH * pooled)
}

function fits(now: PoolShape, demand: PoolDemand, limits: GrowthLimits): boolean {
  if (Math.min(demand.sequences, limits.slots) > now.sequences) return false
  return now.layout === "split" ? demand.longest <= cellsPerSequence(now) : demand.pooled <= now.cells
}

function pooledShape(
  now: PoolShape,
  { pooled }: PoolDemand,
  limits: GrowthLimits,
  sequences: number,
  manner: GrowthManner,
): PoolShape {
  const cells =
    manner === "frugal"
      ? Math.max(now.cells, roundUp(pooled))
      : upToWhole(doubled(now.cells, pooled), now.cells, pooled, roundUp(limits.contextLength))
  return { layout: "unified", cells: Math.min(cells, limits.mostCells), sequences }
}

/**
 * A growth whose next doubling would be cut short has room for the longest conversation at once. So such a conversation
 * moves to its last pool from one of at most half of the size: its copy is small.
 */
function upToWhole(cells: number, now: number, pooled: number, whole: number): number {
  const isOfOne = pooled > now && pooled <= whole
  return isOfOne && 2 * cells > whole ? whole : cells
}

function splitShape(
  now: PoolShape,
  { longest }: PoolDemand,
  limits: GrowthLimits,
  sequences: number,
  manner: GrowthManner,
): PoolShape {
  const share = now.layout === "split" ? cellsPerSequence(now) : CELL_ROUNDING
  const wanted = manner === "frugal" ? Math.max(share, roundUp(longest)) : doubled(share, longest)
  return { layout: "split", cells: Math.min(wanted, roundUp(limits.contextLength)) * sequences, sequences }
}

/** `cells`, doubled until it is at least `wanted`. */
function doubled(cells: number, wanted: number): number {
  let result = Math.max(CELL_ROUNDING, cells)
  while (result < wanted) result *= 2
  return result
}

function roundUp(cells: number): number {
  return Math.ceil(cells / CELL_ROUNDING) * CELL_ROUNDING
}
