import type { PoolDemand } from "../cache/growth"
import { holderOf } from "../cache/kv-cache"
import { type CellHolder, cellsOf, type SharedCells, type Slot } from "../cache/slots"
import { commonPrefix } from "../prompt/cells"
import type { OpenRequests } from "../open-requests"
import type { Sequence } from "../sequence"

/** A growth begins when a sequence has this share of what it needs then, so that it is done before it is urgent. */
const GROWS_AT = 3 / 4

/** A shorter common prefix of waiting prompts does not matter. */
const LEAST_SHARED = 16

export interface DemandLimits {
  readonly contextLength: number
  /** The most sequences. */
  readonly slots: number
}

/** What the open requests and the idle prefixes need of a KV cache. */
export function demandOf(
  { running, waiting }: Pick<OpenRequests, "running" | "waiting">,
  slots: readonly Slot[],
  limits: DemandLimits,
): PoolDemand {
  const next = waiting.slice(0, Math.max(0, limits.slots - running.length))
  const active = [...running, ...next]
  const lengths = active.map((sequence) => soonLength(sequence, limits.contextLength))
  const idle = slots.filter((slot) => !slot.busy)
  const holders: CellHolder[] = [
    ...idle.map(holderOf),
    ...active.map((sequence, index) => ({
      owner: sequence.tokens,
      length: lengths[index] ?? 0,
      shared:
        sequence.slot === undefined ? sharedPrefix(sequence, active.slice(0, index)) : sequence.slot.shared,
    })),
  ]
  return {
    sequences: active.length,
    longest: Math.max(0, ...lengths),
    pooled: cellsOf(holders),
  }
}

/** A sequence's length by the time that a growth which begins now is of use. */
function soonLength({ length, request, generated }: Sequence, contextLength: number): number {
  const left = Math.max(0, request.prepared.maxTokens - generated)
  return Math.min(Math.ceil(length / GROWS_AT), length + left, Math.max(length, contextLength))
}

/** What a prompt that waits will share with those before it. */
function sharedPrefix(sequence: Sequence, before: readonly Sequence[]): SharedCells | undefined {
  if (!sequence.request.prepared.usesCache) return undefined
  let best: SharedCells | undefined
  for (const { tokens, cacheKey } of before) {
    if (cacheKey !== sequence.cacheKey) continue
    const length = commonPrefix(tokens, tokens.length, sequence.tokens, sequence.tokens.length - 1)
    if (length >= LEAST_SHARED && length > (best?.tokens ?? 0)) best = { tokens: length, owner: tokens }
  }
  return best
}
