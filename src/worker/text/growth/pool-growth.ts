import type { MemoryFootprint } from "../../../domain/device"
import type { KvPlan } from "../../../domain/settings"
import type { PendingContext } from "../../../llama/context"
import type { KvState, MemoryGrant } from "../../../protocol/messages"
import { planGrowth, type PoolDemand, type PoolShape, sameShape } from "../cache/growth"
import { copiedStates, liveStates, moveStates, type StateSource } from "../cache/state-moves"
import type { ContextFactory } from "./context-factory"
import type { MutableCounters } from "../output/step-outbox"
import { poolBytes } from "./pool-bytes"
import type { Runtime } from "../runtime"

/** After a refusal the same is asked again at the earliest after this, in ms. */
const REFUSED_MS = 5000

/** Asks for the memory of a growth, and reports what is held. */
export interface MemoryBroker {
  /** `extra`: what is needed at the peak beyond the footprint; `least`: for a slower way that needs less. */
  ask(extra: MemoryFootprint, least: MemoryFootprint): Promise<MemoryGrant>
  /** Reports the KV cache by now. Ends what was granted. */
  holds(kv: KvState): void
}

export interface PoolGrowthParts {
  readonly runtime: Runtime
  readonly contexts: Pick<ContextFactory, "create" | "begin" | "take">
  readonly memory: MemoryBroker
  readonly plan: KvPlan
  /** Where bytes of a context lie: on devices, or in system memory. */
  readonly footprintOf: (bytes: number) => MemoryFootprint
  readonly counters: MutableCounters
  readonly now: () => number
}

type State =
  | { readonly is: "resting" }
  | { readonly is: "asking"; readonly target: PoolShape; grant: MemoryGrant | undefined }
  | {
      readonly is: "making"
      readonly target: PoolShape
      readonly pending: PendingContext
      readonly saved?: StateSource
    }

/**
 * Grows the KV cache between steps: asks for memory, has a larger context made on a second thread while the present
 * one decodes, moves the cached states there and frees the old one. A growth that is refused or fails leaves
 * everything as it was.
 */
export class PoolGrowth {
  readonly #parts: PoolGrowthParts
  #state: State = { is: "resting" }
  #retryAt = Number.NEGATIVE_INFINITY

  constructor(parts: PoolGrowthParts) {
    this.#parts = parts
  }

  /** May the pool ever be larger than it is? */
  get possible(): boolean {
    return this.#parts.runtime.cache.cells < this.#parts.plan.mostCells
  }

  /** May the next steps have a larger pool? */
  get underway(): boolean {
    return this.#state.is !== "resting"
  }

  /** There is no context to compute with until the new one is made. */
  get suspended(): boolean {
    return this.#state.is === "making" && this.#state.saved !== undefined
  }

  /** Call between steps, with what the pool should have room for. */
  update(demand: () => PoolDemand): void {
    const state = this.#state
    if (state.is === "resting") this.#consider(demand)
    else if (state.is === "asking") this.#begin(state)
    else if (state.pending.done) this.#finish(state)
  }

  #consider(demand: () => PoolDemand): void {
    const { plan, now } = this.#parts
    if (!this.possible || now() < this.#retryAt) return
    const target = planGrowth(this.#shape(), demand(), plan)
    if (target !== undefined) this.#ask(target)
  }

  #ask(target: PoolShape): void {
    const { runtime, memory, plan, footprintOf } = this.#parts
    const state: State = { is: "asking", target, grant: undefined }
    this.#state = state
    const copied = runtime.context.wholeStateSize
    const next = poolBytes(plan, target)
    const extra = footprintOf(next)
    const least = footprintOf(Math.max(0, next - poolBytes(plan, this.#shape())))
    void memory
      .ask(
        { ...extra, ramBytes: extra.ramBytes + copied },
        { ...least, ramBytes: least.ramBytes + 2 * copied },
      )
      .then(
        (grant) => (state.grant = grant),
        () => (state.grant = "no"),
      )
  }

  #begin({ target, grant }: Extract<State, { is: "asking" }>): void {
    if (grant === undefined) return
    if (grant === "no") return this.#rest()
    const { contexts, runtime } = this.#parts
    if (grant === "all") {
      this.#state = { is: "making", target, pending: contexts.begin(target) }
      return
    }
    const saved = copiedStates(runtime.context, runtime.cache, target)
    runtime.context[Symbol.dispose]()
    this.#state = { is: "making", target, pending: contexts.begin(target), saved }
  }

  #finish({ pending, saved }: Extract<State, { is: "making" }>): void {
    const { runtime, contexts, counters, memory } = this.#parts
    const before = runtime.context
    const made = contexts.take(pending)
    const context = made ?? (saved === undefined ? undefined : this.#remake())
    if (context !== undefined) {
      const source = saved ?? liveStates(before, runtime.cache, context)
      const cache = runtime.cache.movedTo(context)
      moveStates(source, cache, context)
      before[Symbol.dispose]()
      runtime.context = context
      runtime.cache = cache
      runtime.threads.adopt(context)
    }
    if (made === undefined) return this.#rest()
    counters.kvGrowths++
    this.#state = { is: "resting" }
    memory.holds(this.#held())
  }

  /** The context that was given up for a larger one that could not be made. */
  #remake() {
    const context = this.#parts.contexts.create(this.#shape())
    if (context === undefined) throw new Error("there is no memory left for the model's context")
    return context
  }

  #rest(): void {
    const { memory, now } = this.#parts
    this.#state = { is: "resting" }
    this.#retryAt = now() + REFUSED_MS
    memory.holds(this.#held())
  }

  /**
   * Makes a pool that has grown as small again as it was at first. Call while nothing runs. Prefixes that are no
   * longer cached then are offered to the runtime's keeper first.
   */
  shrink(): void {
    const { runtime, contexts, plan, memory } = this.#parts
    const first: PoolShape = { layout: plan.layout, cells: plan.cells, sequences: plan.sequences }
    if (this.underway || sameShape(this.#shape(), first)) return
    runtime.cache.keepFitting(first, (slot) => runtime.keeper?.retires(slot))
    const saved = copiedStates(runtime.context, runtime.cache, first)
    runtime.context[Symbol.dispose]()
    const context = contexts.create(first) ?? this.#remake()
    const cache = runtime.cache.movedTo(context)
    moveStates(saved, cache, context)
    runtime.context = context
    runtime.cache = cache
    runtime.threads.adopt(context)
    memory.holds(this.#held())
  }

  #shape(): PoolShape {
    const { layout, cells, slots } = this.#parts.runtime.cache
    return { layout, cells, sequences: slots.length }
  }

  #held(): KvState {
    const shape = this.#shape()
    const { plan } = this.#parts
    return { ...shape, bytes: shape.cells * plan.bytesPerCell + shape.sequences * plan.bytesPerSequence }
  }
}
