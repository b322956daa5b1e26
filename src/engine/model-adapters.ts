import {
  type AdapterChoice,
  adapterSetKey,
  type AppliedAdapter,
  effectiveAdapters,
  type UsableAdapter,
} from "../domain/adapters"
import { adapterOfPart } from "../domain/attached-parts"
import type { GenerationRequest } from "../domain/chat"
import type { ModelSummary } from "../domain/model"
import { isGenerationRequest, type WorkRequest } from "../domain/tasks"
import { AdapterNotFound } from "../errors/model"
import { InvalidRequest } from "../errors/request"
import type { Catalog, ModelAdapter } from "../store/contract"

/** How many names a message lists. */
const MOST_LISTED = 10

/** Finds the adapters that requests name, and remembers the strengths that were set for a model. */
export class ModelAdapters {
  readonly #store: Catalog
  /** Those that were set while the server runs, by the names of model and adapter. */
  readonly #scales = new Map<string, ReadonlyMap<string, number>>()

  constructor(store: Catalog) {
    this.#store = store
  }

  /** Takes the adapter out of the model's name, such as `base:tag@adapter`. */
  async takeName<R extends WorkRequest>(
    request: R,
  ): Promise<{ readonly request: R; readonly adapter?: string }> {
    const split = await this.#split(request.model)
    return split === undefined
      ? { request }
      : { request: { ...request, model: split.base }, adapter: split.adapter }
  }

  /**
   * The name of a model, without that of an adapter.
   * @throws ModelNotFound, AdapterNotFound, InvalidRequest where the model cannot use that adapter
   */
  async baseOf(model: string): Promise<string>
  async baseOf(model: string | undefined): Promise<string | undefined>
  async baseOf(model: string | undefined): Promise<string | undefined> {
    const split = await this.#split(model)
    if (split === undefined) return model
    const { base, adapter } = split
    const summary = await this.#store.resolve(base)
    find(adapter, await this.#all(summary), summary.name)
    return base
  }

  /** Those that a model can use, in the order of their numbers, as they are applied to requests that name none. */
  async usable(model: ModelSummary): Promise<readonly UsableAdapter[]> {
    return (await this.#fitting(model)).map(({ name, scale, sizeBytes }) => ({ name, scale, sizeBytes }))
  }

  /**
   * Sets how strongly adapters are applied to requests that name none; those that are not named here are not applied.
   * @throws AdapterNotFound, InvalidRequest
   */
  async setScales(model: ModelSummary, choices: readonly AdapterChoice[]): Promise<void> {
    const all = await this.#all(model)
    const scales = new Map(all.map(({ name }) => [name, 0]))
    for (const choice of choices) scales.set(find(choice.adapter, all, model.name).name, choice.scale)
    this.#scales.set(model.name, scales)
  }

  /**
   * The request with the adapters that it is computed with.
   * @param named the adapter in the model's name; it is applied besides the others
   * @throws AdapterNotFound, InvalidRequest
   */
  async applyTo<R extends WorkRequest>(
    request: R,
    model: ModelSummary,
    named: string | undefined,
  ): Promise<R> {
    const whole: WorkRequest = request
    if (isGenerationRequest(whole)) {
      const adapters = await this.#adaptersOf(whole, model, named)
      return adapters === undefined ? request : { ...request, adapters }
    }
    if (named !== undefined)
      throw new InvalidRequest(`adapter '${named}': adapters apply to chats and completions only`, "model")
    return request
  }

  /** Undefined: those that the worker applies by itself. */
  async #adaptersOf(
    { lora }: GenerationRequest,
    model: ModelSummary,
    named: string | undefined,
  ): Promise<readonly AppliedAdapter[] | undefined> {
    const isUsual = lora === undefined && named === undefined && !this.#scales.has(model.name)
    if (isUsual && this.#store.adapters?.areConfigured !== true) return undefined
    const all = await this.#all(model)
    const scales = new Map<ModelAdapter, number>()
    if (lora === undefined)
      for (const adapter of all) if (adapter.misfit === undefined) scales.set(adapter, adapter.scale)
    if (named !== undefined) {
      const adapter = find(named, all, model.name)
      // Where it is in use anyway, its strength is known.
      scales.set(adapter, adapter.scale === 0 ? 1 : adapter.scale)
    }
    for (const { adapter, scale } of lora ?? []) scales.set(find(adapter, all, model.name), scale)
    const set: AppliedAdapter[] = []
    for (const [{ name, path, sizeBytes, key }, scale] of scales)
      if (scale !== 0) set.push({ name, path, sizeBytes, key: await key(), scale })
    const adapters = effectiveAdapters(set)
    return adapterSetKey(adapters) === ownKey(model) ? undefined : adapters
  }

  /** Undefined: the name has no adapter, or all of it is the name of a model. */
  async #split(
    given: string | undefined,
  ): Promise<{ readonly base: string; readonly adapter: string } | undefined> {
    const name = (given && (await this.#store.aliasTarget?.(given))) ?? given
    const at = name?.lastIndexOf("@") ?? -1
    if (name === undefined || at <= 0 || at === name.length - 1) return undefined
    const isWhole = await this.#store.resolve(name).then(
      () => true,
      () => false,
    )
    return isWhole ? undefined : { base: name.slice(0, at), adapter: name.slice(at + 1) }
  }

  /** With the strengths that were set. */
  async #all(model: ModelSummary): Promise<readonly ModelAdapter[]> {
    const all = (await this.#store.adapters?.of(model)) ?? []
    const scales = this.#scales.get(model.name)
    return scales === undefined
      ? all
      : all.map((adapter) => ({ ...adapter, scale: scales.get(adapter.name) ?? 0 }))
  }

  async #fitting(model: ModelSummary): Promise<readonly ModelAdapter[]> {
    return (await this.#all(model)).filter(({ misfit }) => misfit === undefined)
  }
}

/** The key of what a worker applies by itself. */
function ownKey({ parts = [] }: ModelSummary): string {
  return adapterSetKey(
    effectiveAdapters(parts.filter(({ role }) => role === "adapter").map((part) => adapterOfPart(part))),
  )
}

/** By its name, ignoring case, or its number among those that can be used. */
function find(wanted: string | number, all: readonly ModelAdapter[], model: string): ModelAdapter {
  const fitting = all.filter(({ misfit }) => misfit === undefined)
  const found =
    typeof wanted === "number"
      ? fitting[wanted]
      : all.find(({ name }) => name.toLowerCase() === wanted.toLowerCase())
  if (found === undefined) throw new AdapterNotFound(wanted, model, hintFor(fitting))
  if (found.misfit !== undefined) throw new InvalidRequest(`adapter '${found.name}' ${found.misfit}`, "lora")
  return found
}

function hintFor(fitting: readonly ModelAdapter[]): string {
  if (fitting.length === 0) return "; there is none for it: `--lora FILE` or a file in ~/.xllm/loras adds one"
  const names = fitting.slice(0, MOST_LISTED).map(({ name }, id) => `${id}: ${name}`)
  return `; it has ${names.join(", ")}${fitting.length > MOST_LISTED ? ", …" : ""}`
}
