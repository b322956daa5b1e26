import type { ImageRequest } from "../../domain/media/image"
import { InvalidRequest, Unsupported } from "../../errors/request"
import { type ArchitectureName, ARCHITECTURES } from "../../formats/image/architectures"
import { IMAGES } from "../../limits"
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
  const steps = inRange("steps", request.steps ?? defaults.steps)
  const strength = request.source && inRange("strength", request.source.strength)
  return {
    size,
    seed: request.seed === undefined ? randomSeed : inRange("seed", request.seed),
    steps: strength === undefined ? steps : Math.min(steps, Math.floor(steps * strength) + 1),
    parameters: {
      // The package treats an empty prompt as missing.
      prompt: clean(request.prompt) || " ",
      negative_prompt: clean(request.negativePrompt ?? ""),
      ...size,
      steps,
      cfg_scale: inRange("cfgScale", request.cfgScale ?? defaults.cfgScale),
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
  if (size.width * size.height > IMAGES.pixels)
    throw new InvalidRequest(
      `an image may have at most ${IMAGES.pixels} pixels (2048x2048), got ${size.width}x${size.height}`,
      "size",
    )
  return size
}

function checkSide(name: string, pixels: number, alignment: number): number {
  if (
    Number.isInteger(pixels) &&
    pixels >= alignment &&
    pixels <= IMAGES.side.max &&
    pixels % alignment === 0
  )
    return pixels
  throw new InvalidRequest(
    `${name} must be a multiple of ${alignment} between ${alignment} and ${IMAGES.side.max} for this model, got ${pixels}`,
    "size",
  )
}

/** The parameters whose range does not depend on the model, with the names of their fields. */
const FIELDS = { steps: "steps", cfgScale: "cfg_scale", strength: "strength", seed: "seed" } as const
const WHOLE: readonly string[] = ["steps", "seed"]

function inRange(parameter: keyof typeof FIELDS, value: number): number {
  const { min, max } = IMAGES[parameter]
  const isWhole = Number.isInteger(value) || !WHOLE.includes(parameter)
  if (isWhole && value >= min && value <= max) return value
  const name = FIELDS[parameter]
  throw new InvalidRequest(`${name} must be between ${min} and ${max}, got ${value}`, name)
}

function oneOf(name: string, value: string, names: readonly string[]): string {
  if (names.includes(value)) return value
  throw new InvalidRequest(`${name} must be one of ${names.join(", ")}; got '${value}'`, name)
}
