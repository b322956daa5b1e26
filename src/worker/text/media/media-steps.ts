import { MICRO_BATCH_TOKENS } from "../../../formats/kv-layout"
import type { EmbeddingsSlice } from "../../../llama/embeddings"
import type { OpenRequests } from "../open-requests"
import type { MutableCounters } from "../output/step-outbox"
import { positionOf } from "../prompt/cells"
import type { StepPlan } from "../scheduler"
import type { Sequence } from "../sequence"
import type { LogitsRow } from "../step-batch"
import { EmbeddingsCache } from "./embeddings-cache"
import { Encodings } from "./encodings"
import type { MediaReader } from "./media-reader"
import type { Projector } from "./projector"

/** Of embeddings that are kept: some hundred pictures of small models, some ten of large ones. */
const CACHED_BYTES = 256 * 1024 ** 2

/** A step that computes embeddings of one sequence, or some of them. */
export interface MediaStep extends StepPlan<Sequence> {
  readonly slice: EmbeddingsSlice
  readonly rows: readonly LogitsRow[]
}

export interface MediaStepsParts {
  readonly projector: Pick<Projector, "encode" | "isWhole">
  readonly reader: Pick<MediaReader, "pixels" | "samples">
  readonly counters: MutableCounters
  /** Are pictures and sounds encoded on the CPU? */
  readonly isOnCpu: boolean
  /** Milliseconds from an arbitrary start. */
  readonly now: () => number
}

/** Has ready what sequences show, and makes the steps that compute it. */
export class MediaSteps {
  readonly #isWhole: boolean
  readonly #isOnCpu: boolean
  readonly #counters: MutableCounters
  readonly #cache = new EmbeddingsCache(CACHED_BYTES)
  readonly #encodings: Encodings<Sequence>
  #wasLast = false

  constructor({ projector, reader, counters, isOnCpu, now }: MediaStepsParts) {
    this.#isWhole = projector.isWhole
    this.#isOnCpu = isOnCpu
    this.#counters = counters
    this.#encodings = new Encodings({ projector, reader, cache: this.#cache, counters, now })
  }

  /** Is something being encoded? */
  get encoding(): boolean {
    return this.#encodings.busy
  }

  /** Is something being encoded, on the CPU? */
  get usesCpu(): boolean {
    return this.#isOnCpu && this.encoding
  }

  /** Resolves when something is encoded. */
  get encoded(): Promise<void> {
    return this.#encodings.settled
  }

  /** Call when requests have ended. */
  sweep(): void {
    this.#encodings.sweep()
  }

  /** Asks for what the running sequences will show next, while their steps go on. */
  prepare(requests: OpenRequests): void {
    for (const delivery of this.#encodings.take()) {
      const { viewer } = delivery
      if (viewer.finished) continue
      if ("error" in delivery) requests.fail(viewer, delivery.error)
      else viewer.encoded = delivery.encoded
    }
    this.#encodings.sweep()
    for (const sequence of requests.running) {
      const next = sequence.nextMedia
      if (next === undefined) sequence.encoded = undefined
      else if (sequence.encoded?.has(next.digest) !== true) this.#find(next.digest, sequence, requests)
    }
  }

  #find(digest: string, sequence: Sequence, requests: OpenRequests): void {
    const unit = this.#cache.get(digest)
    if (unit !== undefined) {
      this.#counters.mediaCached++
      sequence.encoded = new Map([[digest, unit]])
      return
    }
    sequence.encoded = undefined
    const media = sequence.request.prepared.shown?.get(digest)
    if (media === undefined) throw new RangeError("a prompt shows what its request does not have")
    this.#encodings.want(media, sequence, () => requests.running.some(({ generating }) => generating))
  }

  /**
   * The next step, if one can be computed: not twice in succession where others have something to compute as well, so
   * call it again with `isAlone` when there is nothing else. `most`: the most embeddings that need not be computed at
   * once.
   */
  next(running: readonly Sequence[], most: number, isAlone = false): MediaStep | undefined {
    const isTurn = isAlone || !this.#wasLast
    this.#wasLast = false
    if (!isTurn) return undefined
    const suspect = running.findLast((sequence) => sequence.suspect)
    const chosen = (suspect === undefined ? running : [suspect]).find(isReady)
    if (chosen === undefined) return undefined
    this.#wasLast = true
    return stepOf(chosen, this.#isWhole, Math.min(most, MICRO_BATCH_TOKENS))
  }
}

/** Is a sequence's next cell one of media that are encoded? */
function isReady({ slot, nextMedia, encoded }: Sequence): boolean {
  if (slot === undefined || nextMedia === undefined || nextMedia.start > slot.length) return false
  return encoded?.has(nextMedia.digest) === true
}

function stepOf(sequence: Sequence, isWhole: boolean, most: number): MediaStep | undefined {
  const { slot, nextMedia, encoded, media } = sequence
  const unit = nextMedia && encoded?.get(nextMedia.digest)
  if (slot === undefined || nextMedia === undefined || unit === undefined) return undefined
  const first = slot.length - nextMedia.start
  const left = nextMedia.cells - first
  const count = isWhole ? left : Math.min(left, most)
  const cell = slot.length + count - 1
  const isLast = cell === sequence.tokens.length - 1
  return {
    work: [{ sequence, tokens: count, outputs: isLast ? 1 : 0 }],
    decodeCount: 0,
    draftTokens: 0,
    promptTokens: count,
    rows: isLast ? [{ sequence, cell, index: count - 1 }] : [],
    slice: {
      embeddings: unit.embeddings,
      positions: unit.positions(positionOf(media, nextMedia.start)),
      first,
      count,
      sequence: slot.id,
      isWhole,
      output: isLast,
    },
  }
}
