import type { MediaTimings, RequestOptions, WaitingEvent } from "../request"

export type ImageFormat = "png" | "jpeg" | "webp"

/** A request to generate images. */
export interface ImageRequest extends RequestOptions {
  readonly kind: "image"
  readonly prompt: string
  readonly negativePrompt?: string
  /** Number of images; at least 1. Generated one after another, with increasing seeds. */
  readonly n: number
  /** Pixels. Absent: the model's native size. */
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
  /** 0 to 100, for jpeg and webp. */
  readonly compression?: number
  /** Send a small preview with each step, where the engine can. */
  readonly preview: boolean
  /** An image to start from; the caller keeps its files until the end. */
  readonly source?: {
    readonly imagePath: string
    /** Transparent or black where the image is to change. */
    readonly maskPath?: string
    /** 0: keep the image unchanged; 1: ignore it. */
    readonly strength: number
  }
}

/** The events of image generation: any waiting, then `step` and `image` for each image, and `done`. */
export type ImageEvent =
  | WaitingEvent
  | {
      readonly type: "step"
      /** Index of the image, from 0. */
      readonly image: number
      readonly step: number
      readonly steps: number
      /** A small PNG, where requested and supported by the engine. */
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
