import type { AppliedAdapter } from "../../../domain/adapters"
import { Adapter, type ScaledAdapter } from "../../../llama/adapter"
import type { Model } from "../../../llama/model"

interface LoadedAdapter {
  readonly adapter: Adapter
  readonly sizeBytes: number
  /** It belongs to the model, and stays. */
  readonly isOwn: boolean
  /** Requests that use it. */
  users: number
  /** Counts the uses of all adapters. */
  lastUsed: number
}

/** The adapters of one model that are in memory. */
export class LoadedAdapters {
  readonly #model: Model
  /** By what is the same for the same content. */
  readonly #byKey = new Map<string, LoadedAdapter>()
  #uses = 0

  constructor(model: Model) {
    this.#model = model
  }

  get count(): number {
    return this.#byKey.size
  }

  get bytes(): number {
    return this.#byKey.values().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  has({ key }: AppliedAdapter): boolean {
    return this.#byKey.has(key)
  }

  /**
   * Loads one that is not there yet.
   * @returns false if llama.cpp refuses it and has logged why
   */
  load({ key, path, sizeBytes }: AppliedAdapter, isOwn = false): boolean {
    const adapter = Adapter.load(this.#model, path)
    if (adapter === undefined) return false
    this.#byKey.set(key, { adapter, sizeBytes, isOwn, users: 0, lastUsed: this.#uses++ })
    return true
  }

  /** Protects those of `set` from being freed until {@link release}; all of them must be loaded. */
  hold(set: readonly AppliedAdapter[]): readonly ScaledAdapter[] {
    return set.map(({ key, scale }) => {
      const loaded = this.#byKey.get(key)
      if (loaded === undefined) throw new RangeError("the adapter is not loaded")
      loaded.users++
      loaded.lastUsed = this.#uses++
      return { adapter: loaded.adapter, scale }
    })
  }

  release(set: readonly AppliedAdapter[]): void {
    for (const { key } of set) {
      const loaded = this.#byKey.get(key)
      if (loaded !== undefined) loaded.users--
    }
  }

  /** The bytes that can be freed without the use of `kept`. */
  unusedBytes(kept: readonly AppliedAdapter[]): number {
    return this.#unused(kept).reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0)
  }

  /**
   * Frees the least recently used one that no request uses, apart from `kept`. No context may have it applied.
   * @returns false if there is none
   */
  freeOne(kept: readonly AppliedAdapter[]): boolean {
    const [oldest] = this.#unused(kept).sort(([, a], [, b]) => a.lastUsed - b.lastUsed)
    if (oldest === undefined) return false
    const [key, { adapter }] = oldest
    this.#byKey.delete(key)
    adapter[Symbol.dispose]()
    return true
  }

  #unused(kept: readonly AppliedAdapter[]): [string, LoadedAdapter][] {
    const keys = new Set(kept.map(({ key }) => key))
    return [...this.#byKey].filter(([key, { users, isOwn }]) => users === 0 && !isOwn && !keys.has(key))
  }
}
