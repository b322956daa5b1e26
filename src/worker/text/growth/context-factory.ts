import { type Adapter, applyAdapters } from "../../../llama/adapter"
import { Context, type ContextOptions, type PendingContext } from "../../../llama/context"
import type { Model } from "../../../llama/model"
import type { PoolShape } from "../cache/growth"

export interface ContextFactoryParts {
  readonly model: Model
  /** What the contexts have in common. */
  readonly options: Omit<ContextOptions, keyof PoolShape>
  readonly adapters: readonly { readonly adapter: Adapter; readonly scale: number }[]
}

/** Makes the contexts of a model, which differ in their pools of cells only. */
export class ContextFactory {
  readonly #parts: ContextFactoryParts

  constructor(parts: ContextFactoryParts) {
    this.#parts = parts
  }

  /** @returns undefined if llama.cpp refuses and has logged why */
  create(shape: PoolShape): Context | undefined {
    return this.#finish(Context.create(this.#parts.model, this.#optionsOf(shape)))
  }

  /** Begins to make one on a second thread. */
  begin(shape: PoolShape): PendingContext {
    return Context.begin(this.#parts.model, this.#optionsOf(shape))
  }

  /** @returns undefined if llama.cpp refused and has logged why */
  take(pending: PendingContext): Context | undefined {
    return this.#finish(pending.take())
  }

  #optionsOf({ layout, cells, sequences }: PoolShape): ContextOptions {
    return { ...this.#parts.options, layout, cells, sequences }
  }

  #finish(context: Context | undefined): Context | undefined {
    if (context === undefined) return undefined
    const { model, adapters, options } = this.#parts
    applyAdapters(context, model, adapters)
    context.createThreads(Math.max(options.decodeThreads, options.prefillThreads))
    return context
  }
}
