import type { MediaPart } from "../../../domain/chat"

/** A picture or a sound of which nothing but the beginning was read. */
export interface MeasuredMedia {
  readonly part: MediaPart
  /** Of the file's bytes, and of what is done to them before the projector gets them. */
  readonly digest: Uint8Array
  /** Of a picture as the projector gets it: turned upright, and made smaller where the request wants that; sounds: 0. */
  readonly width: number
  readonly height: number
  /** Of a sound, at the projector's rate. */
  readonly samples?: number
}

export interface Pixels {
  readonly width: number
  readonly height: number
  /** Three bytes per pixel, row by row. */
  readonly rgb: Uint8Array
}

/** Reads pictures and sounds for a projector. */
export interface MediaReader {
  /** @throws InvalidRequest, Unsupported for a file that is not what it should be */
  measure(part: MediaPart): Promise<MeasuredMedia>
  /** @throws InvalidRequest where the file cannot be decoded */
  pixels(media: MeasuredMedia): Promise<Pixels>
  samples(media: MeasuredMedia): Promise<Float32Array>
  close(): void
}
