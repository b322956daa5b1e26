import { InternalError } from "../../errors/base"
import { ModelLoadFailed } from "../../errors/model"
import { Batch } from "../../llama/batch"
import type { Context } from "../../llama/context"
import type { MeasuredContext, TimedWork } from "../../measure/work"
import { type MeasuredModel, openContext } from "./loaded"

/** Steps of a `batch` in one repetition: one alone is too short for a clock. */
const STEPS_OF_A_BATCH = 8

/** Random tokens, the same each time. */
export class RandomTokens {
  readonly #size: number
  readonly #first: number | undefined
  #state: number

  /** @param first the token that texts begin with */
  constructor(size: number, first: number | undefined, seed = 1) {
    this.#size = size
    this.#first = first
    this.#state = seed
  }

  next(position: number): number {
    if (position === 0 && this.#first !== undefined) return this.#first
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * this.#size)
  }
}

/** A cache of so many tokens, which the next tests at this depth or beyond begin with. */
export class DepthCache {
  #settings = ""
  #depth = 0
  #state: Uint8Array | undefined

  /** Restores as many of the first `depth` tokens as are known. Returns how many. */
  restore(context: Context, settings: string, depth: number): number {
    if (this.#state === undefined || this.#settings !== settings || this.#depth > depth) return 0
    return context.restore(0, this.#state) ? this.#depth : 0
  }

  keep(context: Context, settings: string, depth: number): void {
    this.#settings = settings
    this.#depth = depth
    this.#state = context.save(0)
  }
}

/** Times one piece of work, repetition by repetition: each begins with an empty cache. */
export class Timing implements Disposable {
  readonly #context: Context
  readonly #batch: Batch
  readonly #tokens: RandomTokens
  readonly #work: TimedWork
  readonly #name: string
  readonly #depths: DepthCache
  /** What caches of this context have in common with others. */
  readonly #settings: string

  /** @throws ModelLoadFailed where there is no memory for its context */
  constructor(measured: MeasuredModel, context: MeasuredContext, work: TimedWork, depths: DepthCache) {
    const { vocabulary } = measured.model
    const isBatch = work.kind === "batch"
    const cells = work.depth + work.tokens * (isBatch ? STEPS_OF_A_BATCH : 1)
    const batchTokens = isBatch ? Math.max(context.batchTokens, work.tokens) : context.batchTokens
    this.#context = openContext(measured, cells, isBatch ? work.tokens : 1, { ...context, batchTokens })
    this.#batch = new Batch(batchTokens, 1)
    this.#tokens = new RandomTokens(vocabulary.size, vocabulary.addsBos ? vocabulary.bos : undefined)
    this.#work = work
    this.#depths = depths
    this.#settings = JSON.stringify([context.kvTypeK, context.kvTypeV, context.flashAttention])
    this.#name = measured.name
  }

  /** Nanoseconds of one repetition. */
  measure(): number {
    const { kind, tokens, depth } = this.#work
    this.#goTo(depth)
    const startedAt = Bun.nanoseconds()
    if (kind === "prompt") this.#read(depth, tokens)
    else if (kind === "generate") for (let i = 0; i < tokens; i++) this.#decode(depth + i, 1, 1)
    else for (let i = 0; i < STEPS_OF_A_BATCH; i++) this.#decode(depth + i * tokens, tokens, tokens)
    const taken = Bun.nanoseconds() - startedAt
    return kind === "batch" ? taken / STEPS_OF_A_BATCH : taken
  }

  /** What a first step costs more: touching memory, compiling kernels. */
  warmUp(): void {
    const { kind, tokens } = this.#work
    this.#context.clear(0)
    if (kind === "prompt") this.#read(0, tokens)
    else this.#decode(0, 1, 1)
  }

  /** Fills the cache with `depth` tokens; they are computed once, and restored after that. */
  #goTo(depth: number): void {
    this.#context.clear(0)
    if (depth === 0) return
    const known = this.#depths.restore(this.#context, this.#settings, depth)
    if (known === depth) return
    this.#read(known, depth - known)
    this.#depths.keep(this.#context, this.#settings, depth)
  }

  /** Reads `count` tokens from a position on, with the logits of the last one. */
  #read(position: number, count: number): void {
    const size = this.#batch.capacity
    for (let done = 0; done < count; done += size)
      this.#decode(position + done, Math.min(size, count - done), done + size >= count ? 1 : 0)
  }

  /** One decode; waits for its end. `outputs`: of so many last tokens. */
  #decode(position: number, count: number, outputs: number): void {
    const batch = this.#batch
    batch.clear()
    for (let i = 0; i < count; i++)
      batch.add(this.#tokens.next(position + i), position + i, 0, i >= count - outputs)
    const result = this.#context.decode(batch)
    if (result === "no-room") throw new InternalError("a context for measuring is too small")
    if (result === "failed") throw new ModelLoadFailed(this.#name, "llama.cpp could not compute a step")
    // Backends compute in the background; reading the logits waits for them.
    if (outputs > 0) this.#context.logits(count - 1)
  }

  [Symbol.dispose](): void {
    this.#context[Symbol.dispose]()
  }
}
