import type { ImageFormat } from "../../domain/image"
import type { AudioFormat } from "../../domain/speech"
import { invalidField } from "./fields"

/** OpenAI's limit for `n`. */
export const IMAGE_COUNT = { min: 1, max: 10 }

/** Image models compute in blocks of 8 pixels. */
const SIZE_STEP = 8

const SIDE = { min: 64, max: 4096 }

/** 2048 × 2048: more needs tens of gigabytes. */
const MAX_PIXELS = 2048 * 2048

export const IMAGE_STEPS = { min: 1, max: 150 }

export const CFG_SCALE = { min: 0, max: 50 }

export const IMAGE_COMPRESSION = { min: 0, max: 100 }

export const IMAGE_STRENGTH = { min: 0, max: 1 }

/** Seeds of the image engine. */
export const IMAGE_SEED = { min: 0, max: 2 ** 32 - 1 }

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
  for (const side of [width, height]) {
    if (side < SIDE.min || side > SIDE.max || side % SIZE_STEP !== 0) {
      throw invalidField(
        name,
        `WIDTHxHEIGHT, both multiples of ${SIZE_STEP} between ${SIDE.min} and ${SIDE.max}`,
        given,
      )
    }
  }
  if (width * height > MAX_PIXELS) throw invalidField(name, `at most ${MAX_PIXELS} pixels in all`, given)
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
