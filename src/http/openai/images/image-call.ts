import type { ImageFormat, ImageRequest } from "../../../domain"
import { InvalidRequest } from "../../../errors"
import { TEXTS } from "../../../limits"
import type { JsonObject } from "../../body"
import { broken, defined, Fields, readCharacters } from "../../fields"
import type { HeaderOptions } from "../../headers"
import type { FormTypes } from "../../multipart"
import { readModelOptions } from "../options"
import { IMAGE_FIELDS, refuseUnsupported } from "../request-fields"
import { readSeed } from "../seed"

/** OpenAI's limit of `n`. */
export const COUNT = { min: 1, max: 10 }

/** Painters compute in blocks of 8 pixels. */
const SIZE_STEP = 8
const SIDE = { min: 64, max: 4096 }

/** As many as 2048 × 2048: more takes tens of gigabytes. */
const MAX_PIXELS = 2048 * 2048

export const STEPS = { min: 1, max: 150 }
export const CFG_SCALE = { min: 0, max: 50 }
export const COMPRESSION = { min: 0, max: 100 }
export const STRENGTH = { min: 0, max: 1 }

/** OpenAI's limit of `partial_images`. */
const PARTIAL_IMAGES = { min: 0, max: 3 }

/** The seeds that a picture is told to be made with. */
export const SEED = { min: 0, max: 2 ** 32 - 1 }

export const IMAGE_FORMATS = ["png", "jpeg", "webp"] as const satisfies readonly ImageFormat[]

/** How much of a picture changes where the request does not say: what stable-diffusion.cpp's own program takes. */
export const DEFAULT_STRENGTH = 0.75

/** How images are handed over. */
const RESPONSE_FORMATS = ["url", "b64_json"] as const

export type ImageResponseFormat = (typeof RESPONSE_FORMATS)[number]

/** How the forms' texts are read. */
export const IMAGE_FORM: FormTypes = {
  numbers: [
    "n",
    "steps",
    "cfg_scale",
    "seed",
    "output_compression",
    "partial_images",
    "strength",
    "keep_alive",
    "ttl",
    "num_inference_steps",
  ],
  booleans: ["stream"],
  lists: [],
}

export interface ImageCall {
  readonly request: ImageRequest
  readonly responseFormat: ImageResponseFormat
  readonly stream: boolean
  /** How many unfinished versions of each image are sent, where the painter can. */
  readonly partialImages: number
}

/** Files that came with a request. */
export interface SourceFiles {
  readonly imagePath: string
  readonly maskPath?: string
}

/** @throws InvalidRequest, Unsupported */
export function toGenerationCall(body: JsonObject, headers: HeaderOptions = {}): ImageCall {
  const fields = new Fields(body)
  return { ...readCall(fields, readPrompt(fields), headers) }
}

/** @throws InvalidRequest, Unsupported */
export function toEditCall(body: JsonObject, files: SourceFiles, headers: HeaderOptions = {}): ImageCall {
  const fields = new Fields(body)
  return withSource(readCall(fields, readPrompt(fields), headers), fields, files)
}

/** Variations have no prompt: the picture alone says what they are of. @throws InvalidRequest, Unsupported */
export function toVariationCall(
  body: JsonObject,
  files: SourceFiles,
  headers: HeaderOptions = {},
): ImageCall {
  const fields = new Fields(body)
  return withSource(
    readCall(fields, readCharacters(fields, "prompt", TEXTS.imagePrompt) ?? "", headers),
    fields,
    files,
  )
}

function withSource(call: ImageCall, fields: Fields, files: SourceFiles): ImageCall {
  const strength = fields.number("strength", STRENGTH) ?? DEFAULT_STRENGTH
  return { ...call, request: { ...call.request, source: { ...files, strength } } }
}

function readCall(fields: Fields, prompt: string, headers: HeaderOptions): ImageCall {
  refuseUnsupported(fields, IMAGE_FIELDS)
  const stream = fields.boolean("stream") ?? false
  const partialImages = fields.integer("partial_images", PARTIAL_IMAGES) ?? 0
  const format = fields.choice("output_format", IMAGE_FORMATS) ?? "png"
  const request: ImageRequest = {
    kind: "image",
    ...headers,
    ...readModelOptions(fields),
    prompt,
    n: fields.integer("n", COUNT) ?? 1,
    format,
    preview: stream && partialImages > 0,
    ...readSize(fields),
    ...defined({
      negativePrompt: readCharacters(fields, "negative_prompt", TEXTS.imagePrompt),
      // Our word, or diffusers'.
      steps: fields.integer("steps", STEPS) ?? fields.integer("num_inference_steps", STEPS),
      cfgScale: fields.number("cfg_scale", CFG_SCALE),
      seed: readImageSeed(fields),
      sampler: fields.text("sampler", TEXTS.word),
      scheduler: fields.text("scheduler", TEXTS.word),
      compression: readCompression(fields, format),
    }),
  }
  // OpenAI's events have no other form than base64.
  const responseFormat = fields.choice("response_format", RESPONSE_FORMATS) ?? (stream ? "b64_json" : "url")
  return { request, responseFormat, stream, partialImages }
}

function readPrompt(fields: Fields): string {
  const prompt = readCharacters(fields, "prompt", TEXTS.imagePrompt)
  if (prompt === undefined) throw new InvalidRequest("prompt is required", "prompt")
  if (prompt.trim() === "") throw new InvalidRequest("prompt must have some text", "prompt")
  return prompt
}

/** A seed below 0 asks for a random one, as in other servers; a larger one than the engine takes is folded. */
function readImageSeed(fields: Fields): number | undefined {
  const seed = readSeed(fields)
  return seed === undefined || seed < 0 ? undefined : seed % (SEED.max + 1)
}

/** `1024x768`; absent or `auto`: the model's own. */
function readSize(fields: Fields): Pick<ImageRequest, "width" | "height"> {
  const size = fields.text("size", TEXTS.word)
  if (size === undefined || size === "auto") return {}
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(size) ?? []
  if (width === undefined || height === undefined) {
    throw broken("size", "WIDTHxHEIGHT, such as 512x512, or auto", size)
  }
  return checkSize("size", Number(width), Number(height))
}

/** `name`: what is at fault where it is no possible size. @throws InvalidRequest */
export function checkSize(
  name: string,
  width: number,
  height: number,
): { readonly width: number; readonly height: number } {
  const given = `${width}x${height}`
  for (const side of [width, height]) {
    if (side < SIDE.min || side > SIDE.max || side % SIZE_STEP !== 0) {
      throw broken(
        name,
        `WIDTHxHEIGHT, both multiples of ${SIZE_STEP} between ${SIDE.min} and ${SIDE.max}`,
        given,
      )
    }
  }
  if (width * height > MAX_PIXELS) throw broken(name, `at most ${MAX_PIXELS} pixels in all`, given)
  return { width, height }
}

/** PNG has no loss to choose; OpenAI's clients send their default with it all the same. */
function readCompression(fields: Fields, format: ImageFormat): number | undefined {
  const compression = fields.integer("output_compression", COMPRESSION)
  if (compression === undefined || format !== "png") return compression
  if (compression === COMPRESSION.max) return undefined
  throw new InvalidRequest(
    "output_compression must come with output_format jpeg or webp",
    "output_compression",
  )
}
