import { statSync } from "node:fs"
import { open } from "node:fs/promises"
import { adapterSetKey, type AppliedAdapter } from "../../../domain/adapters"
import type { MemoryFootprint } from "../../../domain/device"
import { placeAndReason } from "../../../errors/base"
import { NotEnoughMemory } from "../../../errors/engine"
import { AdapterLoadFailed } from "../../../errors/model"
import { ADAPTERS } from "../../../limits"
import type { ScaledAdapter } from "../../../llama/adapter"
import type { MemoryGrant } from "../../../protocol/messages"
import type { MutableCounters } from "../output/step-outbox"
import type { LoadedAdapters } from "./loaded-adapters"

/** The adapters that a sequence is computed with. */
export interface AdapterSet {
  /** See `adapterSetKey`; sequences share a step only where it is the same. */
  readonly key: string
  readonly adapters: readonly ScaledAdapter[]
}

/** A set in use: its adapters stay in memory until it is disposed. */
export interface HeldAdapters extends AdapterSet, Disposable {}

export interface AdapterShelfParts {
  /** The model's name. */
  readonly model: string
  readonly loaded: LoadedAdapters
  /** Those of the model: what requests use that name none. */
  readonly own: readonly AppliedAdapter[]
  readonly footprintOf: (bytes: number) => MemoryFootprint
  readonly memory: {
    ask(extra: MemoryFootprint, least: MemoryFootprint): Promise<MemoryGrant>
    remeasured(): void
  }
  /** Makes sure that no context has any adapter applied that no running request uses. */
  readonly detach: () => void
  /** Is a context being made on another thread? Adapters can be neither loaded nor freed meanwhile. */
  readonly isBlocked: () => boolean
  readonly counters: MutableCounters
  /** The last error that the library logged; empty: none. */
  readonly lastError: () => string
  /** Milliseconds from an arbitrary start. */
  readonly now: () => number
}

/** After a refusal the server is not asked for memory again before this, in ms. */
const REFUSED_MS = 5000

/** Bytes read at once into the system's cache of files, so that loading waits for no disk. */
const READ_BYTES = 4 * 1024 ** 2

/** How often it is looked whether a context is finished, in ms. */
const BLOCKED_MS = 5

/**
 * Keeps a model's adapters in memory: loads each with the first request that names it, and frees the least recently
 * used ones where memory or their number is limited.
 */
export class AdapterShelf {
  readonly #parts: AdapterShelfParts
  readonly #own: AdapterSet
  /** Loads are made one after another. */
  #loading: Promise<unknown> = Promise.resolve()
  #askAfter = Number.NEGATIVE_INFINITY

  constructor(parts: AdapterShelfParts) {
    this.#parts = parts
    this.#own = { key: "", adapters: parts.loaded.hold(parts.own) }
  }

  /**
   * The adapters of a request, loaded where they are not yet. Dispose what is returned with the request.
   * @param wanted undefined: those of the model
   * @throws AdapterLoadFailed, NotEnoughMemory
   */
  async take(wanted: readonly AppliedAdapter[] | undefined): Promise<HeldAdapters> {
    const { loaded } = this.#parts
    if (wanted === undefined) return { ...this.#own, [Symbol.dispose]: () => {} }
    while (!wanted.every((adapter) => loaded.has(adapter))) await this.#loadAll(wanted)
    const adapters = loaded.hold(wanted)
    return {
      key: keyOf(wanted),
      adapters,
      [Symbol.dispose]: () => loaded.release(wanted),
    }
  }

  #loadAll(wanted: readonly AppliedAdapter[]): Promise<void> {
    const result = this.#loading.then(async () => {
      for (const adapter of wanted) if (!this.#parts.loaded.has(adapter)) await this.#load(adapter, wanted)
    })
    this.#loading = result.catch(() => {})
    return result
  }

  async #load(adapter: AppliedAdapter, wanted: readonly AppliedAdapter[]): Promise<void> {
    const { loaded, memory, counters, model, isBlocked, lastError } = this.#parts
    await this.#readAhead(adapter)
    const free = await this.#makeRoom(adapter, wanted)
    while (isBlocked()) await Bun.sleep(BLOCKED_MS)
    free()
    // It may have been replaced by a shorter file since it was looked at.
    if (sizeOf(model, adapter) !== adapter.sizeBytes)
      throw new AdapterLoadFailed(adapter.name, model, "its file was changed meanwhile; try again")
    const isLoaded = loaded.load(adapter)
    if (isLoaded) counters.adapterLoads++
    memory.remeasured()
    if (!isLoaded)
      throw new AdapterLoadFailed(
        adapter.name,
        model,
        `llama.cpp refused it: ${lastError() || "no reason given"}`,
      )
  }

  /** Returns what frees the adapters that must make way. */
  async #makeRoom(adapter: AppliedAdapter, wanted: readonly AppliedAdapter[]): Promise<() => void> {
    const { loaded, model, detach } = this.#parts
    const { sizeBytes } = adapter
    const isGranted = await this.#ask(sizeBytes)
    const unused = loaded.unusedBytes(wanted)
    if (!isGranted && unused < sizeBytes)
      throw new NotEnoughMemory(
        model,
        `memory for the adapter '${adapter.name}'`,
        sizeBytes,
        unused,
        "unload other models or raise the memory limit",
      )
    return () => {
      let left = isGranted ? 0 : sizeBytes
      while (left > 0 || loaded.count >= ADAPTERS.loaded) {
        const before = loaded.bytes
        detach()
        if (!loaded.freeOne(wanted)) break
        left -= before - loaded.bytes
      }
    }
  }

  async #ask(bytes: number): Promise<boolean> {
    const { memory, footprintOf, now } = this.#parts
    if (now() < this.#askAfter) return false
    const extra = footprintOf(bytes)
    const isGranted = (await memory.ask(extra, extra)) !== "no"
    if (!isGranted) this.#askAfter = now() + REFUSED_MS
    return isGranted
  }

  /** Has the system read the file, while steps go on. */
  async #readAhead(adapter: AppliedAdapter): Promise<void> {
    try {
      const file = await open(adapter.path, "r")
      try {
        const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, adapter.sizeBytes))
        for (let at = 0; at < adapter.sizeBytes; at += buffer.length)
          await file.read(buffer, 0, buffer.length, at)
      } finally {
        await file.close()
      }
    } catch (error) {
      throw new AdapterLoadFailed(adapter.name, this.#parts.model, placeAndReason(error), error)
    }
  }
}

/** The set of none differs from the model's own, even where that is none: see {@link AdapterShelf.take}. */
function keyOf(set: readonly AppliedAdapter[]): string {
  return set.length === 0 ? "none" : adapterSetKey(set)
}

function sizeOf(model: string, { name, path }: AppliedAdapter): number {
  try {
    return statSync(path).size
  } catch (error) {
    throw new AdapterLoadFailed(name, model, placeAndReason(error), error)
  }
}
