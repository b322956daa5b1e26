import type { ImageRequest } from "../../domain/image"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { type ArchitectureName, ARCHITECTURES } from "../../formats/image/architectures"
import { GENERATION_DEFAULTS } from "./defaults"
import type { ImageSize } from "./image-codec"
import type { GenerationParameters } from "./sidecar-messages"

/** The names accepted by @qvac/diffusion-cpp (`SamplerMethod` and `ScheduleType` in its index.d.ts). */
const SAMPLERS: readonly string[] = [
  "euler",
  "euler_a",
  "heun",
  "dpm2",
  "dpm++2s_a",
  "dpm++2m",
  "dpm++2mv2",
  "ipndm",
  "ipndm_v",
  "lcm",
  "ddim_trailing",
  "tcd",
  "res_multistep",
  "res_2s",
]
/** Without `ltx2`, which is for video. */
const SCHEDULERS: readonly string[] = [
  "discrete",
  "karras",
  "exponential",
  "ays",
  "gits",
  "sgm_uniform",
  "simple",
  "smoothstep",
  "kl_optimal",
  "lcm",
  "bong_tangent",
]

const MAX_STEPS = 1000
const MAX_CFG_SCALE = 100
const MAX_SIDE = 4096
/** 2048 × 2048. */
const MAX_PIXELS = 4_194_304
/** Larger images are decoded in tiles: at once they would take 7 GB and more. */
const MOST_PIXELS_AT_ONCE = 1_048_576

/** Parameters shared by all images of a request. */
export interface ImageGeneration {
  readonly size: ImageSize
  /** The seed of the first image; the others count up from it. */
  readonly seed: number
  /** Steps that the engine takes and reports: fewer than requested if it starts from an image. */
  readonly steps: number
  readonly parameters: Omit<GenerationParameters, "seed">
}

export interface ImageGenerationInput {
  readonly request: ImageRequest
  readonly architecture: ArchitectureName
  readonly adapter: string | undefined
  /** Size of the image to start from. */
  readonly source: ImageSize | undefined
  /** 0 to 2³² - 1; used if the request has no seed. */
  readonly randomSeed: number
}

/**
 * The engine's parameters for a request.
 * @throws InvalidRequest, Unsupported with the request field at fault
 */
export function planGeneration({
  request,
  architecture,
  adapter,
  source,
  randomSeed,
}: ImageGenerationInput): ImageGeneration {
  if (request.source?.maskPath !== undefined) throw new Unsupported("masks are not supported", "mask")
  // A picture alone says what its variation is of.
  if (request.prompt.trim() === "" && request.source === undefined)
    throw new InvalidRequest("the prompt must not be empty", "prompt")
  const defaults = GENERATION_DEFAULTS[architecture]
  const { alignment } = ARCHITECTURES[architecture]
  const size = sizeOf(request, source, defaults.size, alignment)
  const steps = inRange("steps", request.steps ?? defaults.steps, 1, MAX_STEPS)
  const strength = request.source && inRange("strength", request.source.strength, 0, 1)
  return {
    size,
    seed: seedOf(request, randomSeed),
    steps: strength === undefined ? steps : Math.min(steps, Math.floor(steps * strength) + 1),
    parameters: {
      // The package treats an empty prompt as missing.
      prompt: clean(request.prompt) || " ",
      negative_prompt: clean(request.negativePrompt ?? ""),
      ...size,
      steps,
      cfg_scale: inRange("cfg_scale", request.cfgScale ?? defaults.cfgScale, 0, MAX_CFG_SCALE),
      ...(defaults.guidance !== undefined && { guidance: defaults.guidance }),
      ...(request.sampler !== undefined && { sampling_method: oneOf("sampler", request.sampler, SAMPLERS) }),
      ...(request.scheduler !== undefined && {
        scheduler: oneOf("scheduler", request.scheduler, SCHEDULERS),
      }),
      ...(strength !== undefined && { strength }),
      ...(adapter !== undefined && { lora: adapter }),
      vae_tiling: size.width * size.height > MOST_PIXELS_AT_ONCE,
    },
  }
}

/** The library reads C strings of well-formed text. */
function clean(text: string): string {
  return text.toWellFormed().replaceAll("\0", " ")
}

function sizeOf(
  { width, height }: ImageRequest,
  source: ImageSize | undefined,
  own: number,
  alignment: number,
): ImageSize {
  const nearest = (pixels: number): number => Math.max(1, Math.round(pixels / alignment)) * alignment
  const size = {
    width: checkSide("width", width ?? (source ? nearest(source.width) : own), alignment),
    height: checkSide("height", height ?? (source ? nearest(source.height) : own), alignment),
  }
  if (size.width * size.height > MAX_PIXELS)
    throw new InvalidRequest(
      `an image may have at most ${MAX_PIXELS} pixels (2048x2048), got ${size.width}x${size.height}`,
      "size",
    )
  return size
}

function checkSide(name: string, pixels: number, alignment: number): number {
  if (Number.isInteger(pixels) && pixels >= alignment && pixels <= MAX_SIDE && pixels % alignment === 0)
    return pixels
  throw new InvalidRequest(
    `${name} must be a multiple of ${alignment} between ${alignment} and ${MAX_SIDE} for this model, got ${pixels}`,
    "size",
  )
}

function seedOf({ seed, n }: ImageRequest, randomSeed: number): number {
  if (seed === undefined) return randomSeed
  if (Number.isInteger(seed) && seed >= 0 && seed <= Number.MAX_SAFE_INTEGER - n) return seed
  throw new InvalidRequest(
    `seed must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER} minus the number of images, got ${seed}`,
    "seed",
  )
}

function inRange(name: string, value: number, least: number, most: number): number {
  const isWhole = name !== "steps" || Number.isInteger(value)
  if (isWhole && value >= least && value <= most) return value
  throw new InvalidRequest(`${name} must be between ${least} and ${most}, got ${value}`, name)
}

function oneOf(name: string, value: string, names: readonly string[]): string {
  if (names.includes(value)) return value
  throw new InvalidRequest(`${name} must be one of ${names.join(", ")}; got '${value}'`, name)
}
