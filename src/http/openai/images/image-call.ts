import type { ImageFormat, ImageRequest } from "../../../domain/media/image"
import { InvalidRequest } from "../../../errors/request"
import { IMAGES, TEXTS } from "../../../limits"
import { refuseUnsupported } from "../../read/field-table"
import { defined, Fields, invalidField, readCharacters } from "../../read/fields"
import type { HeaderOptions } from "../../read/headers"
import type { JsonObject } from "../../read/body/json-body"
import { checkImageSize, DEFAULT_STRENGTH, IMAGE_FORMATS } from "../../read/media-options"
import type { FormTypes } from "../../read/body/multipart"
import { readModelOptions } from "../../read/options"
import { readSeed } from "../../read/seed"
import { IMAGE_FIELDS } from "./image-fields"

const RESPONSE_FORMATS = ["url", "b64_json"] as const

export type ImageResponseFormat = (typeof RESPONSE_FORMATS)[number]

/** The types of the form's fields. */
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
  /** How many unfinished versions of each image to send, if the model supports it. */
  readonly partialImages: number
}

/** Uploaded images. */
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

/** Variations have no prompt: the image is the only input. @throws InvalidRequest, Unsupported */
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
  const strength = fields.number("strength", IMAGES.strength) ?? DEFAULT_STRENGTH
  return { ...call, request: { ...call.request, source: { ...files, strength } } }
}

function readCall(fields: Fields, prompt: string, headers: HeaderOptions): ImageCall {
  refuseUnsupported(fields, IMAGE_FIELDS)
  const stream = fields.boolean("stream") ?? false
  const partialImages = fields.integer("partial_images", IMAGES.partial) ?? 0
  const format = fields.choice("output_format", IMAGE_FORMATS) ?? "png"
  const request: ImageRequest = {
    kind: "image",
    ...headers,
    ...readModelOptions(fields),
    prompt,
    n: fields.integer("n", IMAGES.count) ?? 1,
    format,
    preview: stream && partialImages > 0,
    ...readSize(fields),
    ...defined({
      negativePrompt: readCharacters(fields, "negative_prompt", TEXTS.imagePrompt),
      // Our name, or diffusers'.
      steps: fields.integer("steps", IMAGES.steps) ?? fields.integer("num_inference_steps", IMAGES.steps),
      cfgScale: fields.number("cfg_scale", IMAGES.cfgScale),
      seed: readImageSeed(fields),
      sampler: fields.text("sampler", TEXTS.word),
      scheduler: fields.text("scheduler", TEXTS.word),
      compression: readCompression(fields, format),
    }),
  }
  // OpenAI's events support only base64.
  const responseFormat = fields.choice("response_format", RESPONSE_FORMATS) ?? (stream ? "b64_json" : "url")
  return { request, responseFormat, stream, partialImages }
}

function readPrompt(fields: Fields): string {
  const prompt = readCharacters(fields, "prompt", TEXTS.imagePrompt)
  if (prompt === undefined) throw new InvalidRequest("prompt is required", "prompt")
  if (prompt.trim() === "") throw new InvalidRequest("prompt must not be blank", "prompt")
  return prompt
}

/** As in other servers, a negative seed asks for a random one; one too large for the engine is reduced to its range. */
function readImageSeed(fields: Fields): number | undefined {
  const seed = readSeed(fields)
  return seed === undefined || seed < 0 ? undefined : seed % (IMAGES.seed.max + 1)
}

/** `1024x768`; absent or `auto`: the model's default. */
function readSize(fields: Fields): Pick<ImageRequest, "width" | "height"> {
  const size = fields.text("size", TEXTS.word)
  if (size === undefined || size === "auto") return {}
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(size) ?? []
  if (width === undefined || height === undefined) {
    throw invalidField("size", "WIDTHxHEIGHT, such as 512x512, or auto", size)
  }
  return checkImageSize("size", Number(width), Number(height))
}

/** PNG is lossless and has no compression level to choose, but OpenAI's clients send their default with it anyway. */
function readCompression(fields: Fields, format: ImageFormat): number | undefined {
  const compression = fields.integer("output_compression", IMAGES.compression)
  if (compression === undefined || format !== "png") return compression
  if (compression === IMAGES.compression.max) return undefined
  throw new InvalidRequest(
    "output_compression must come with output_format jpeg or webp",
    "output_compression",
  )
}
