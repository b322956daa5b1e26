import type { PoolDemand } from "../cache/growth"
import { holderOf } from "../cache/kv-cache"
import { type CellHolder, cellsOf, type SharedCells, type Slot } from "../cache/slots"
import { commonPrefix } from "../prompt/cells"
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

/** What the size of a sequence's demand depends on. */
export type DemandingSequence = Pick<
  Sequence,
  "length" | "generated" | "tokens" | "cacheKey" | "slot" | "maxTokens" | "usesCache" | "saved"
>

/** Those that have a slot, and those that wait for one, in the order in which they get it. */
export interface DemandingRequests {
  readonly running: readonly DemandingSequence[]
  readonly waiting: readonly DemandingSequence[]
}

/** Determines what the open requests and the idle prefixes need of a KV cache. */
export class DemandMeter {
  readonly #limits: DemandLimits
  /** What prompts that wait share with those before them, while these are the same. */
  readonly #shared = new Map<DemandingSequence, SharedCells | undefined>()
  #compared: readonly DemandingSequence[] = []

  constructor(limits: DemandLimits) {
    this.#limits = limits
  }

  measure({ running, waiting }: DemandingRequests, slots: readonly Slot[]): PoolDemand {
    const { slots: mostSlots, contextLength } = this.#limits
    const active = [...running, ...waiting.slice(0, Math.max(0, mostSlots - running.length))]
    this.#forgetOthers(active)
    const lengths = active.map((sequence) => soonLength(sequence, contextLength))
    const idle = slots.filter((slot) => !slot.busy)
    const holders: CellHolder[] = [
      ...idle.map(holderOf),
      ...active.map((sequence, index) => ({
        owner: sequence.tokens,
        length: lengths[index] ?? 0,
        shared: sequence.slot === undefined ? this.#sharedPrefix(sequence, active) : sequence.slot.shared,
      })),
    ]
    return {
      sequences: active.length,
      longest: Math.max(0, ...lengths),
      longestIdle: Math.max(0, ...idle.map(({ length }) => length)),
      pooled: cellsOf(holders),
    }
  }

  /** Prompts are compared once: with many that wait, every step would take longer than its decoding. */
  #forgetOthers(active: readonly DemandingSequence[]): void {
    const isSame =
      active.length === this.#compared.length &&
      active.every((sequence, index) => sequence === this.#compared[index])
    if (isSame) return
    this.#shared.clear()
    this.#compared = active
  }

  #sharedPrefix(sequence: DemandingSequence, active: readonly DemandingSequence[]): SharedCells | undefined {
    if (!this.#shared.has(sequence)) {
      const before = active.slice(0, active.indexOf(sequence))
      this.#shared.set(sequence, sharedPrefix(sequence, before))
    }
    return this.#shared.get(sequence)
  }
}

/** A sequence's length by the time that a growth which begins now is of use. */
function soonLength({ length, maxTokens, generated }: DemandingSequence, contextLength: number): number {
  const left = Math.max(0, maxTokens - generated)
  return Math.min(Math.ceil(length / GROWS_AT), length + left, Math.max(length, contextLength))
}

/** What a prompt that waits will share with those before it. */
function sharedPrefix(
  sequence: DemandingSequence,
  before: readonly DemandingSequence[],
): SharedCells | undefined {
  // A saved state has cells of its own.
  if (!sequence.usesCache || sequence.saved !== undefined) return undefined
  let best: SharedCells | undefined
  for (const { tokens, cacheKey } of before) {
    if (cacheKey !== sequence.cacheKey) continue
    const length = commonPrefix(tokens, tokens.length, sequence.tokens, sequence.tokens.length - 1)
    if (length >= LEAST_SHARED && length > (best?.tokens ?? 0)) best = { tokens: length, owner: tokens }
  }
  return best
}
