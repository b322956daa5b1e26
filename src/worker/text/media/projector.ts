import type { PromptUnit } from "../prompt/cells"
import type { MeasuredMedia, Pixels } from "./media-reader"

/** What the model gets in place of a media unit's cells. */
export interface EncodedUnit {
  readonly digest: Uint8Array
  /** `width` floats for each of its cells. */
  readonly embeddings: Float32Array
  /** The positions of its cells from a start: one for each, or four rows of them where positions have dimensions. */
  positions(start: number): Int32Array
}

/** Turns pictures and sounds into embeddings for one model. */
export interface Projector {
  readonly sees: boolean
  readonly hears: boolean
  /** Of the sounds that it takes, in Hz; 0 if it hears nothing. */
  readonly sampleRate: number
  /** Must a whole unit be one decode, without a causal mask? */
  readonly isWhole: boolean
  /** Floats per cell. */
  readonly width: number
  /** Of one unit. */
  readonly mostCells: number
  /** Weights and compute buffers. */
  readonly bytes: number
  /** The units of a prompt that stand for the media, without its content. */
  plan(media: MeasuredMedia): readonly PromptUnit[]
  /**
   * All media units of what {@link plan} gives, in their order.
   * @param besideOthers whether sequences decode meanwhile, which then get a core of their own
   * @throws the signal's reason
   */
  encode(
    media: MeasuredMedia,
    content: Pixels | Float32Array,
    signal: AbortSignal,
    besideOthers?: boolean,
  ): Promise<readonly EncodedUnit[]>
  close(): void
}
