import type { MediaTimings, RequestOptions, WaitingEvent } from "./request"

export type ImageFormat = "png" | "jpeg" | "webp"

/** A picture to be made. */
export interface ImageRequest extends RequestOptions {
  readonly kind: "image"
  readonly prompt: string
  readonly negativePrompt?: string
  /** How many; at least 1. Made one after another, with seeds that count up. */
  readonly n: number
  /** Pixels. Absent: the model's own size. */
  readonly width?: number
  readonly height?: number
  readonly steps?: number
  /** Classifier-free guidance. */
  readonly cfgScale?: number
  /** Absent: a random one. */
  readonly seed?: number
  readonly sampler?: string
  readonly scheduler?: string
  readonly format: ImageFormat
  /** 0 to 100, of jpeg and webp. */
  readonly compression?: number
  /** Send a small picture with each step, where the engine can. */
  readonly preview: boolean
  /** A picture to start from; files that whoever asks keeps until the end. */
  readonly source?: {
    readonly imagePath: string
    /** Transparent or black where the picture is to change. */
    readonly maskPath?: string
    /** 0: the picture as it is, 1: as if there were none. */
    readonly strength: number
  }
}

/** What drawing tells: any waiting, then `step` and `image` for each picture, and `done`. */
export type ImageEvent =
  | WaitingEvent
  | {
      readonly type: "step"
      /** Which picture, from 0. */
      readonly image: number
      readonly step: number
      readonly steps: number
      /** A small PNG, where it was asked for and the engine can. */
      readonly preview?: Uint8Array
    }
  | {
      readonly type: "image"
      readonly image: number
      /** The encoded file. */
      readonly bytes: Uint8Array
      readonly width: number
      readonly height: number
      readonly seed: number
    }
  | {
      readonly type: "done"
      readonly usage: { readonly images: number; readonly steps: number }
      readonly timings: MediaTimings
    }
