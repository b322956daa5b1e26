import { applyAdapters } from "../../../llama/adapter"
import type { Context } from "../../../llama/context"
import type { Model } from "../../../llama/model"
import type { MutableCounters } from "../output/step-outbox"
import type { AdapterSet } from "./adapter-shelf"

/** Changes the adapters of the context that computes the steps, only where they differ from those of the step before. */
export class AdapterSwitch {
  readonly #model: Model
  readonly #counters: MutableCounters
  #context: Context | undefined
  #key = ""

  /** A new context has the model's own adapters, whose key is empty. */
  constructor(model: Model, counters: MutableCounters) {
    this.#model = model
    this.#counters = counters
  }

  apply(context: Context, { key, adapters }: AdapterSet): void {
    if (context !== this.#context) this.#key = ""
    this.#context = context
    if (key === this.#key) return
    applyAdapters(context, this.#model, adapters)
    this.#key = key
    this.#counters.adapterSwitches++
  }

  /** Takes all adapters off a context on which nothing runs that uses them, so that they can be freed. */
  detach(context: Context): void {
    if (context !== this.#context || this.#key === "") return
    applyAdapters(context, this.#model, [])
    this.#key = DETACHED
  }
}

/** No set has this key, so the next one is applied. */
const DETACHED = "detached"
