import type { XllmError } from "../../../errors/base"
import { asXllmError, InternalError } from "../../../errors/base"
import type { MutableCounters } from "../output/step-outbox"
import type { PlacedMedia } from "../prompt/cells"
import type { RunningRequest } from "../request"
import { EmbeddingsCache } from "./embeddings-cache"
import type { MeasuredMedia, MediaReader } from "./media-reader"
import type { EncodedUnit, Projector } from "./projector"

/**
 * Embeddings that are kept: a picture of a large model takes up to 16 MB, and four times as much where its layers get
 * embeddings of their own.
 */
const MOST_BYTES = 256 * 1024 ** 2

export interface MediaEncodingsParts {
  readonly projector: Projector
  readonly reader: Pick<MediaReader, "pixels" | "samples">
  /** Do sequences decode at present? The encoder leaves them a core then. */
  readonly isBusy: () => boolean
  /** Is a CPU what the projector is computed on? */
  readonly isOnCpu: boolean
  readonly counters: MutableCounters
  /** Milliseconds from an arbitrary start. */
  readonly now: () => number
}

/** A picture or sound that is being read and encoded. */
interface Job {
  readonly controller: AbortController
  /** Whose file is read; those of the others have the same content. */
  readonly owner: RunningRequest
  readonly waiting: Set<RunningRequest>
}

/** The embeddings of pictures and sounds, which are computed beside the decoding. */
export class MediaEncodings {
  readonly #parts: MediaEncodingsParts
  readonly #cache = new EmbeddingsCache(MOST_BYTES)
  /** By the digest of what is encoded. */
  readonly #jobs = new Map<string, Job>()
  /** What each request needs next, whatever the cache has dropped meanwhile. */
  readonly #held = new WeakMap<RunningRequest, readonly EncodedUnit[]>()
  readonly #failed = new Map<RunningRequest, XllmError>()
  readonly #sources = new WeakMap<RunningRequest, ReadonlyMap<string, MeasuredMedia>>()

  /** Resolves when the one before is done: each may take hundreds of megabytes. */
  #last: Promise<void> = Promise.resolve()
  #settled = Promise.withResolvers<void>()

  constructor(parts: MediaEncodingsParts) {
    this.#parts = parts
  }

  /** Is something being encoded? */
  get isBusy(): boolean {
    return this.#jobs.size > 0
  }

  /** Does that take the CPU from steps? */
  get usesCpu(): boolean {
    return this.isBusy && this.#parts.isOnCpu
  }

  /** Resolves when the next one of them is done. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  /** The embeddings of a unit of a request's prompt; undefined: they are not there yet, and are being computed now. */
  find(request: RunningRequest, { digest }: PlacedMedia): EncodedUnit | undefined {
    const cached = this.#cache.get(digest) ?? this.#held.get(request)?.find((unit) => isSame(unit, digest))
    if (cached === undefined) this.#begin(request, digest)
    return cached
  }

  /** The requests whose pictures or sounds could not be encoded since the last call. */
  takeFailures(): readonly (readonly [RunningRequest, XllmError])[] {
    if (this.#failed.size === 0) return []
    const failures = [...this.#failed]
    this.#failed.clear()
    return failures
  }

  /** Call when nothing has run for a while: gives memory back. */
  rest(): void {
    this.#cache.clear()
  }

  #begin(request: RunningRequest, digest: Uint8Array): void {
    if (this.#failed.has(request) || request.signal.aborted) return
    const media = this.#sourceOf(request, digest)
    if (media === undefined)
      return void this.#failed.set(request, new InternalError("the prompt shows what the request has not"))
    const key = media.digest.toHex()
    const job = this.#jobs.get(key)
    if (job?.waiting.has(request) === true) return
    if (job !== undefined) return this.#join(job, request)
    const begun: Job = { controller: new AbortController(), owner: request, waiting: new Set() }
    this.#jobs.set(key, begun)
    this.#join(begun, request)
    void this.#inTurn(media, begun.controller.signal).then(
      (units) => this.#encoded(key, begun, units),
      (error: unknown) => this.#lost(key, begun, asXllmError(error)),
    )
  }

  /** What nobody waits for any more is given up. */
  #join(job: Job, request: RunningRequest): void {
    job.waiting.add(request)
    request.signal.addEventListener(
      "abort",
      () => {
        job.waiting.delete(request)
        if (job.waiting.size === 0) job.controller.abort()
      },
      { once: true },
    )
  }

  async #inTurn(media: MeasuredMedia, signal: AbortSignal): Promise<readonly EncodedUnit[]> {
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    try {
      await before
      signal.throwIfAborted()
      return await this.#encode(media, signal)
    } finally {
      resolve()
    }
  }

  async #encode(media: MeasuredMedia, signal: AbortSignal): Promise<readonly EncodedUnit[]> {
    const { projector, reader, isBusy, counters, now } = this.#parts
    const content = media.part.type === "image" ? await reader.pixels(media) : await reader.samples(media)
    signal.throwIfAborted()
    const startedAt = now()
    const units = await projector.encode(media, content, signal, isBusy())
    counters.mediaEncoded++
    counters.mediaEncodeMs += now() - startedAt
    return units
  }

  #encoded(key: string, job: Job, units: readonly EncodedUnit[]): void {
    this.#end(key, job)
    for (const unit of units) this.#cache.add(unit)
    for (const request of job.waiting) this.#held.set(request, units)
  }

  #lost(key: string, job: Job, error: XllmError): void {
    this.#end(key, job)
    // Its file may be gone with its request. The others begin again, each with a file of its own.
    if (job.owner.signal.aborted) return
    for (const request of job.waiting) this.#failed.set(request, error)
  }

  /** A job that was given up may have been begun anew. */
  #end(key: string, job: Job): void {
    if (this.#jobs.get(key) === job) this.#jobs.delete(key)
    this.#settled.resolve()
    this.#settled = Promise.withResolvers()
  }

  #sourceOf(request: RunningRequest, digest: Uint8Array): MeasuredMedia | undefined {
    let sources = this.#sources.get(request)
    if (sources === undefined) this.#sources.set(request, (sources = this.#sourcesOf(request)))
    return sources.get(digest.toHex())
  }

  #sourcesOf({ prepared: { shown = [] } }: RunningRequest): ReadonlyMap<string, MeasuredMedia> {
    const { projector } = this.#parts
    return new Map(
      shown.flatMap((media) =>
        projector
          .plan(media)
          .flatMap((unit) => (unit instanceof Int32Array ? [] : [[unit.digest.toHex(), media] as const])),
      ),
    )
  }
}

function isSame(unit: EncodedUnit, digest: Uint8Array): boolean {
  return Buffer.compare(unit.digest, digest) === 0
}
