import type { Runtime } from "../runtime"
import type { Sequence } from "../sequence"
import { planSlotSwap } from "./slots"

/** Steps to wait for a new request to fill a gap between generating sequences before slots are swapped. */
const STEPS_BEFORE_SWAP = 4

/** With the split layout, each gap between generating sequences costs another pass over the weights. */
export class GapCloser {
  readonly #runtime: Pick<Runtime, "cache">
  #stepsWithGaps = 0

  constructor(runtime: Pick<Runtime, "cache">) {
    this.#runtime = runtime
  }

  /** Call before each step. */
  close(running: readonly Sequence[]): void {
    const { cache } = this.#runtime
    if (cache.layout !== "split" || !cache.traits.trims) return
    const generating = running.flatMap((sequence) =>
      sequence.generating && sequence.slot !== undefined ? [sequence.slot] : [],
    )
    const exchange = generating.length > 1 ? planSlotSwap(generating, cache.usable) : undefined
    this.#stepsWithGaps = exchange === undefined ? 0 : this.#stepsWithGaps + 1
    if (exchange !== undefined && this.#stepsWithGaps > STEPS_BEFORE_SWAP)
      cache.exchange(exchange.from, exchange.to)
  }
}
