import { applyAdapters, type ScaledAdapter } from "../../../llama/adapter"
import { Context, type ContextOptions, type PendingContext } from "../../../llama/context"
import type { Model } from "../../../llama/model"
import type { PoolShape } from "../cache/growth"

export interface ContextFactoryParts {
  readonly model: Model
  /** What the contexts have in common. */
  readonly options: Omit<ContextOptions, keyof PoolShape>
  /** Those that belong to the model. */
  readonly adapters: readonly ScaledAdapter[]
}

/** Makes the contexts of a model, which differ in their pools of cells only. */
export class ContextFactory {
  readonly #parts: ContextFactoryParts
  readonly #shortRope: number

  constructor(parts: ContextFactoryParts) {
    this.#parts = parts
    this.#shortRope = shortRope(parts.model)
  }

  /**
   * Are states of one context right in the other? Some models (Phi-3 and its kind) rotate keys by other factors in
   * contexts that are longer than those they were trained with first.
   */
  exchangesStates(a: Pick<Context, "cellsPerSequence">, b: Pick<Context, "cellsPerSequence">): boolean {
    return a.cellsPerSequence > this.#shortRope === b.cellsPerSequence > this.#shortRope
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

  /** Applies the model's adapters to another context of it. */
  adapt(context: Parameters<typeof applyAdapters>[0]): void {
    const { adapters, model } = this.#parts
    if (adapters.length > 0) applyAdapters(context, model, adapters)
  }

  #optionsOf({ layout, cells, sequences }: PoolShape): ContextOptions {
    return { ...this.#parts.options, layout, cells, sequences }
  }

  #finish(context: Context | undefined): Context | undefined {
    if (context === undefined) return undefined
    const { options } = this.#parts
    this.adapt(context)
    context.createThreads(Math.max(options.decodeThreads, options.prefillThreads))
    return context
  }
}

/** The longest context with the factors for short ones; `Infinity` for models with one set of factors. */
export function shortRope(model: Pick<Model, "metadata">): number {
  const architecture = model.metadata("general.architecture") ?? ""
  const scaling = model.metadata(`${architecture}.rope.scaling.type`)
  const original = Number(model.metadata(`${architecture}.rope.scaling.original_context_length`) ?? 0)
  // With YaRN the original length is one of its numbers, whatever the context.
  return original > 0 && (scaling === undefined || scaling === "longrope")
    ? original
    : Number.POSITIVE_INFINITY
}
