import type { MemoryFootprint } from "../../../domain/device"
import type { KvPlan } from "../../../domain/settings"
import type { Context, PendingContext } from "../../../llama/context"
import type { KvState, MemoryGrant } from "../../../protocol/messages"
import { planGrowth, planReturn, type PoolDemand, type PoolShape, sameShape } from "../cache/growth"
import { copiedStates, liveStates, moveStates, movesWhole, type StateSource } from "../cache/state-moves"
import type { ContextFactory } from "./context-factory"
import type { MutableCounters } from "../output/step-outbox"
import { poolBytes } from "./pool-bytes"
import type { Runtime } from "../runtime"

/** After a refusal the same is asked again at the earliest after this, in ms. */
const REFUSED_MS = 5000

/** One pool returns to shares when these have been better for so many steps, so that layouts do not take turns. */
const STEPS_BEFORE_RETURN = 64

/** Asks for the memory of a growth, and reports what is held. */
export interface MemoryBroker {
  /** `extra`: what is needed at the peak beyond the footprint; `least`: for a slower way that needs less. */
  ask(extra: MemoryFootprint, least: MemoryFootprint): Promise<MemoryGrant>
  /** Reports the KV cache by now. Ends what was granted. */
  holds(kv: KvState): void
}

export interface PoolGrowthParts {
  readonly runtime: Runtime
  readonly contexts: Pick<ContextFactory, "create" | "begin" | "take" | "exchangesStates">
  readonly memory: MemoryBroker
  readonly plan: KvPlan
  /** Where bytes of a context lie: on devices, or in system memory. */
  readonly footprintOf: (bytes: number) => MemoryFootprint
  readonly counters: MutableCounters
  readonly now: () => number
}

/** There is no memory left for any context: nothing can be computed any more. */
export class ContextLost extends Error {
  override readonly name = "ContextLost"
}

type State =
  | { readonly is: "resting" }
  | {
      readonly is: "asking"
      readonly target: PoolShape
      /** All fits as it is: the pool would only be faster. */
      readonly isOptional: boolean
      grant: MemoryGrant | undefined
    }
  | {
      readonly is: "making"
      readonly target: PoolShape
      readonly isOptional: boolean
      readonly pending: PendingContext
      /** The context before was given up, and these are its states. */
      readonly saved: StateSource | undefined
    }

/**
 * Grows the KV cache between steps: asks for memory, has a larger context made on a second thread while the present
 * one decodes, moves the cached states there and frees the old one. A growth that is refused or fails leaves
 * everything as it was. In the same way one pool becomes shares again when these have been better for a while.
 */
export class PoolGrowth {
  readonly #parts: PoolGrowthParts
  #state: State = { is: "resting" }
  #retryAt = Number.NEGATIVE_INFINITY
  /** There was no memory for this one: the least that would do is asked for next. */
  #refused: PoolShape | undefined
  /** Steps in a row in which shares would have been better than one pool. */
  #stepsForShares = 0

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

  /**
   * Call between steps, with what the pool should have room for.
   * @throws ContextLost
   */
  update(demand: () => PoolDemand): void {
    const state = this.#state
    if (state.is === "resting") this.#consider(demand)
    else if (state.is === "asking") this.#begin(state)
    else if (state.pending.done) this.#finish(state)
  }

  #consider(demand: () => PoolDemand): void {
    const { plan, now } = this.#parts
    const shape = this.#shape()
    const mayReturn = shape.layout === "unified" && !plan.layoutIsFixed
    if ((!this.possible && !mayReturn) || now() < this.#retryAt) return
    const wanted = demand()
    const refused = this.#refused
    const target = planGrowth(shape, wanted, plan, refused === undefined ? "generous" : "frugal")
    if (target === undefined) {
      this.#refused = undefined
      const shares = this.#return(shape, wanted)
      if (shares !== undefined) this.#ask(shares, true)
    } else if (refused !== undefined && sameShape(target, refused)) this.#giveUp(target)
    else this.#ask(target)
  }

  /** The shares to return to, once they have been better for long enough. */
  #return(shape: PoolShape, wanted: PoolDemand): PoolShape | undefined {
    const target = planReturn(shape, wanted, this.#parts.plan)
    this.#stepsForShares = target === undefined ? 0 : this.#stepsForShares + 1
    if (this.#stepsForShares < STEPS_BEFORE_RETURN) return undefined
    this.#stepsForShares = 0
    return target
  }

  #ask(target: PoolShape, isOptional = false): void {
    const { runtime, memory, plan, footprintOf } = this.#parts
    const state: State = { is: "asking", target, isOptional, grant: undefined }
    this.#state = state
    const copied = runtime.context.wholeStateSize
    // A state that does not move as a whole is fitted to the other layout in another copy.
    const copies = movesWhole(runtime.cache, target) ? 1 : 2
    const next = poolBytes(plan, target)
    const extra = footprintOf(next)
    const least = footprintOf(Math.max(0, next - poolBytes(plan, this.#shape())))
    void memory
      .ask(
        { ...extra, ramBytes: extra.ramBytes + copied },
        { ...least, ramBytes: least.ramBytes + copies * copied },
      )
      .then(
        (grant) => (state.grant = grant),
        () => (state.grant = "no"),
      )
  }

  #begin({ target, grant, isOptional }: Extract<State, { is: "asking" }>): void {
    if (grant === undefined) return
    // Streams do not stand still for what is merely faster.
    if (grant === "no" || (grant === "least" && isOptional)) return this.#giveUp(target)
    const { contexts, runtime } = this.#parts
    let saved: StateSource | undefined
    if (grant === "least") {
      saved = copiedStates(runtime.context, runtime.cache, target)
      runtime.context[Symbol.dispose]()
    }
    try {
      this.#state = { is: "making", target, isOptional, pending: contexts.begin(target), saved }
    } catch {
      // There is no thread for it.
      if (saved !== undefined) this.#replace(this.#remake(), saved)
      this.#giveUp(target)
    }
  }

  #finish({ target, pending, saved, isOptional }: Extract<State, { is: "making" }>): void {
    const { runtime, contexts, counters, memory } = this.#parts
    const before = runtime.context
    const made = contexts.take(pending)
    const context = made ?? (saved === undefined ? undefined : this.#remake())
    if (context !== undefined) this.#replace(context, saved ?? liveStates(before, runtime.cache, context))
    if (made === undefined) return this.#giveUp(target)
    if (!isOptional) counters.kvGrowths++
    this.#refused = undefined
    this.#state = { is: "resting" }
    memory.holds(this.#held())
  }

  /** Moves to another context, and frees the one before. What cannot be moved is computed again. */
  #replace(context: Context, states: StateSource): void {
    const { runtime, contexts } = this.#parts
    const { context: before, cache: old } = runtime
    const cache = old.movedTo(context)
    if (contexts.exchangesStates(before, context)) moveStates(states, cache, context)
    else for (const slot of cache.slots) cache.clear(slot)
    before[Symbol.dispose]()
    runtime.context = context
    runtime.cache = cache
    runtime.threads.adopt(context)
  }

  /**
   * The context that was given up for one that could not be made, or the first one.
   * @throws ContextLost
   */
  #remake(): Context {
    const { contexts } = this.#parts
    const [now, first] = [this.#shape(), this.#first]
    // Every running sequence must keep its slot.
    const isEnough = first.sequences >= now.sequences
    const context = contexts.create(now) ?? (isEnough ? contexts.create(first) : undefined)
    if (context === undefined) throw new ContextLost()
    return context
  }

  /** There is no memory for such a pool. The first time, the least that would do is asked for at once. */
  #giveUp(target: PoolShape): void {
    const { memory, now } = this.#parts
    const isFirst = this.#refused === undefined
    this.#refused = isFirst ? target : undefined
    if (!isFirst) this.#retryAt = now() + REFUSED_MS
    this.#state = { is: "resting" }
    memory.holds(this.#held())
  }

  /**
   * Makes a pool that has grown as small again as it was at first. Call while nothing runs. Prefixes that are no
   * longer cached then are offered to the runtime's keeper first.
   * @throws ContextLost
   */
  shrink(): void {
    const { runtime, contexts, memory } = this.#parts
    const first = this.#first
    if (this.underway || sameShape(this.#shape(), first)) return
    runtime.cache.keepFitting(first, (slot) => runtime.keeper?.retires(slot))
    const saved = copiedStates(runtime.context, runtime.cache, first)
    runtime.context[Symbol.dispose]()
    const context = contexts.create(first) ?? this.#remake()
    this.#replace(context, saved)
    memory.holds(this.#held())
  }

  get #first(): PoolShape {
    const { layout, cells, sequences } = this.#parts.plan
    return { layout, cells, sequences }
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
