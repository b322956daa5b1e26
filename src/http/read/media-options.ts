import type { ImageFormat } from "../../domain/media/image"
import type { AudioFormat } from "../../domain/media/speech"
import { IMAGES } from "../../limits"
import { invalidField } from "./fields"

export const IMAGE_FORMATS = ["png", "jpeg", "webp"] as const satisfies readonly ImageFormat[]

/** How much an edit changes the image by default: stable-diffusion.cpp's own default. */
export const DEFAULT_STRENGTH = 0.75

/** `name`: the field to blame for an invalid size. @throws InvalidRequest */
export function checkImageSize(
  name: string,
  width: number,
  height: number,
): { readonly width: number; readonly height: number } {
  const given = `${width}x${height}`
  const { min, max, multipleOf } = IMAGES.side
  for (const side of [width, height]) {
    if (side < min || side > max || side % multipleOf !== 0) {
      throw invalidField(
        name,
        `WIDTHxHEIGHT, both multiples of ${multipleOf} between ${min} and ${max}`,
        given,
      )
    }
  }
  if (width * height > IMAGES.pixels)
    throw invalidField(name, `at most ${IMAGES.pixels} pixels in all`, given)
  return { width, height }
}

export const AUDIO_FORMATS = [
  "mp3",
  "opus",
  "aac",
  "flac",
  "wav",
  "pcm",
] as const satisfies readonly AudioFormat[]

export const SPEECH_SPEED = { min: 0.25, max: 4 }

/** Hertz. Formats support only some of them. */
export const SPEECH_SAMPLE_RATE = { min: 8000, max: 48_000 }

/** In OpenAI's API raw samples have this rate, whatever the voice. */
const PCM_SAMPLE_RATE = 24_000

/** The rate of the samples to request, unless the voice's own is meant. */
export function sampleRateFor(format: AudioFormat, requested: number | undefined): number | undefined {
  return requested ?? (format === "pcm" ? PCM_SAMPLE_RATE : undefined)
}

export const TRANSCRIPT_FORMATS = ["json", "text", "srt", "vtt", "verbose_json"] as const

export type TranscriptFormat = (typeof TRANSCRIPT_FORMATS)[number]
