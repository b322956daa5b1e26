import type { DecodeResult } from "../../../llama/context"
import { mediaAfter, positionOf } from "../prompt/cells"
import type { Runtime } from "../runtime"
import type { StepPlan } from "../scheduler"
import type { Sequence } from "../sequence"
import type { LogitsRow } from "../step-batch"
import type { MediaEncodings } from "./media-encodings"
import type { EncodedUnit } from "./projector"

/** A sequence whose next cells are those of a picture or sound that is encoded. */
export interface MediaTurn {
  readonly sequence: Sequence
  readonly unit: EncodedUnit
  /** How many of its cells are computed already. */
  readonly done: number
  readonly cells: number
}

/** A step as it was computed. */
export interface MediaStep {
  readonly plan: StepPlan<Sequence>
  readonly result: DecodeResult
  readonly rows: readonly LogitsRow[]
}

/** The steps that compute pictures and sounds: a batch has tokens or embeddings, never both. */
export class MediaSteps {
  readonly #encodings: MediaEncodings
  /** Must a unit be computed at once? */
  readonly #isWhole: boolean
  #wasLast = false

  constructor(encodings: MediaEncodings, isWhole: boolean) {
    this.#encodings = encodings
    this.#isWhole = isWhole
  }

  get encodings(): MediaEncodings {
    return this.#encodings
  }

  /**
   * The first sequence that can go on with a picture or sound. What others will need is encoded meanwhile.
   */
  next(sequences: readonly Sequence[]): MediaTurn | undefined {
    let turn: MediaTurn | undefined
    for (const sequence of sequences) {
      if (sequence.media.length === 0 || sequence.slot === undefined) continue
      const { slot, media, nextMedia } = sequence
      const placed = nextMedia ?? mediaAfter(media, slot.length)
      if (placed === undefined) continue
      const unit = this.#encodings.find(sequence.request, placed)
      if (unit === undefined || nextMedia === undefined) continue
      turn ??= { sequence, unit, done: slot.length - placed.start, cells: placed.cells }
    }
    return turn
  }

  /** Is it the turn of media? Tokens and media take turns where both wait. */
  get isFirst(): boolean {
    return !this.#wasLast
  }

  /** Call after each step. */
  computed(wasMedia: boolean): void {
    this.#wasLast = wasMedia
  }

  /**
   * Computes the next cells of a unit: all of them, or as many as a step may have.
   * @throws NativeLibraryError for a unit that the context cannot compute at once
   */
  compute({ context }: Runtime, { sequence, unit, done, cells }: MediaTurn, most: number): MediaStep {
    const { slot, tokens, media } = sequence
    const length = slot?.length ?? 0
    const count = this.#isWhole ? cells - done : Math.min(cells - done, most)
    const end = length + count
    const output = end === tokens.length
    const result = context.decodeEmbeddings({
      embeddings: unit.embeddings,
      positions: unit.positions(positionOf(media, length - done)),
      first: done,
      count,
      sequence: slot?.id ?? 0,
      isWhole: this.#isWhole,
      output,
    })
    return {
      plan: {
        work: [{ sequence, tokens: count, outputs: output ? 1 : 0 }],
        decodeCount: 0,
        draftTokens: 0,
        promptTokens: count,
      },
      result,
      rows: output ? [{ sequence, cell: end - 1, index: count - 1 }] : [],
    }
  }
}
