import { asXllmError, type XllmError } from "../../../errors/base"
import type { MutableCounters } from "../output/step-outbox"
import type { EmbeddingsCache } from "./embeddings-cache"
import type { MeasuredMedia, MediaReader } from "./media-reader"
import type { EncodedUnit, Projector } from "./projector"

/** What asks for embeddings. */
export interface Viewer {
  readonly finished: boolean
}

/** What a picture or sound was encoded to, by the digests of its units. */
export type Encoded = ReadonlyMap<string, EncodedUnit>

interface Job<T extends Viewer> {
  readonly media: MeasuredMedia
  /** In whose file it is; others have the same. */
  readonly owner: T
  readonly viewers: Set<T>
  readonly abort: AbortController
}

/** What a viewer gets: the embeddings, or why there are none. */
export type Delivery<T> = { readonly viewer: T } & (
  { readonly encoded: Encoded } | { readonly error: XllmError }
)

export interface EncodingsParts {
  readonly projector: Pick<Projector, "encode">
  readonly reader: Pick<MediaReader, "pixels" | "samples">
  readonly cache: EmbeddingsCache
  readonly counters: MutableCounters
  /** Milliseconds from an arbitrary start. */
  readonly now: () => number
}

/**
 * Has pictures and sounds decoded and encoded while steps go on: one after another, as each may take hundreds of
 * megabytes, and once for all that show the same.
 */
export class Encodings<T extends Viewer> {
  readonly #parts: EncodingsParts
  /** By the digest of what they encode; the first one is under way. */
  readonly #jobs = new Map<string, Job<T>>()
  #deliveries: Delivery<T>[] = []
  #settled = Promise.withResolvers<void>()
  #working = false

  constructor(parts: EncodingsParts) {
    this.#parts = parts
  }

  /** Is something being encoded, or waits for it? */
  get busy(): boolean {
    return this.#jobs.size > 0
  }

  /** Resolves when there is something to {@link take}. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  /** Asks for what `media` is encoded to; it is delivered later. `isBeside`: do sequences generate meanwhile? */
  want(media: MeasuredMedia, viewer: T, isBeside: () => boolean): void {
    const key = media.digest.toHex()
    const job = this.#jobs.get(key)
    if (job !== undefined) return void job.viewers.add(viewer)
    this.#jobs.set(key, { media, owner: viewer, viewers: new Set([viewer]), abort: new AbortController() })
    if (!this.#working) void this.#work(isBeside)
  }

  /** What was encoded, or failed, since the last call. */
  take(): readonly Delivery<T>[] {
    if (this.#deliveries.length === 0) return this.#deliveries
    const deliveries = this.#deliveries
    this.#deliveries = []
    this.#settled = Promise.withResolvers()
    return deliveries
  }

  /** Drops what is no longer wanted. What is being computed goes on, as it cannot be stopped. */
  sweep(): void {
    for (const [key, job] of this.#jobs) {
      for (const viewer of job.viewers) if (viewer.finished) job.viewers.delete(viewer)
      if (job.viewers.size > 0) continue
      job.abort.abort()
      this.#jobs.delete(key)
    }
  }

  async #work(isBeside: () => boolean): Promise<void> {
    this.#working = true
    for (;;) {
      const [next] = this.#jobs
      if (next === undefined) break
      const [key, job] = next
      const result = await this.#run(job, isBeside).catch((error: unknown) => ({ error: asXllmError(error) }))
      if (this.#jobs.get(key) !== job) continue
      this.#jobs.delete(key)
      // Its file is gone with its request: another one has the same picture in a file of its own.
      const isOrphan = "error" in result && job.owner.finished
      if (!isOrphan) for (const viewer of job.viewers) this.#deliveries.push({ viewer, ...result })
      this.#settled.resolve()
    }
    this.#working = false
  }

  async #run(
    { media, abort: { signal } }: Job<T>,
    isBeside: () => boolean,
  ): Promise<{ readonly encoded: Encoded }> {
    const { projector, reader, cache, counters, now } = this.#parts
    const content = media.part.type === "image" ? await reader.pixels(media) : await reader.samples(media)
    signal.throwIfAborted()
    const startedAt = now()
    const units = await projector.encode(media, content, signal, isBeside())
    counters.mediaEncoded++
    counters.mediaEncodeMs += now() - startedAt
    for (const unit of units) cache.add(unit)
    return { encoded: new Map(units.map((unit) => [unit.digest.toHex(), unit])) }
  }
}
